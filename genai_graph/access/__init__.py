"""Who may see and do what: the keys of what is encrypted, roles, and users."""

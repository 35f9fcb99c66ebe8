"""The formats of fixtures: each reads a file into records."""

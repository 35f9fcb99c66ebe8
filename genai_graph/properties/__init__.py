"""Typed properties: validation, storage and file formats of values, encryption and redaction."""

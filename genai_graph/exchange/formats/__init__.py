"""File formats, one module each: `records` reads a file into records, `write` writes records."""

"""Benchmarks: this package compared with hand-written code and plain neomodel. See __main__.py."""

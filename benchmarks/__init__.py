"""Benchmarks: this package's loader beside what one would write without it. See __main__.py."""

"""Callbacks that log training frameworks to a run, one module for each framework.

A module imports its framework, so the package has none of them as a dependency.
"""

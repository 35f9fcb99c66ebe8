"""Managed engines: database servers that the package installs, starts, shares and stops.

`lifecycle` is common to all of them; `arcadedb` and `neo4j_community` describe one server each. To
add an engine, subclass `lifecycle.Server` and register it in `engines`.
"""

"""Subgraphs as text, JSON, Mermaid, DOT, SVG and HTML; rows as HTML tables.

`formats` imports all writers. This file imports nothing, so that `subgraph` stays cheap to import.
"""

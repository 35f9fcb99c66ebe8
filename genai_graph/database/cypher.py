"""Analysis of Cypher statements by their text, and fragments of statements."""

from __future__ import annotations

import re

_COMMENT_OR_QUOTED = re.compile(
    r"""(?P<comment>//[^\n\r]*|/\*.*?\*/)"""
    r"""|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:``|[^`])*`""",
    re.DOTALL,
)
_READING_PROCEDURES = (
    r"(?:db\.(?:labels|relationshipTypes|propertyKeys|schema\.\w+)|dbms\.components)\b"
)
_WRITES = re.compile(
    r"(?<![A-Za-z_.:$&|])(?:CREATE|INSERT|MERGE|SET|DELETE|REMOVE|DROP|ALTER|FOREACH|LOAD|GRANT|DENY"
    rf"|REVOKE)(?!\w)|\bCALL\s+(?!{_READING_PROCEDURES})['\w]|\\u",
    re.IGNORECASE,
)
# Schema and user administration: these clauses can only begin a statement.
_ADMINISTRATION = re.compile(
    r"\s*(?:(?:EXPLAIN|PROFILE|CYPHER)\s[\s\w.=]*?)?"
    r"(?:CREATE|DROP|ALTER|RENAME|GRANT|DENY|REVOKE|ENABLE|START|STOP)\s+(?!\w+\s*=)\w",
    re.IGNORECASE,
)
# Effects on the server or on other clients, anywhere in a statement.
_AFFECTS_SERVER = re.compile(
    r"\bTERMINATE\s+TRANSACTIONS?\b"
    r"|\bCALL\s+dbms\s*\.(?!\s*(?:components|info|list\w*|show\w*|queryJmx|routing)\b)",
    re.IGNORECASE,
)
_CALLS_QUOTED = re.compile(r"\bCALL\s+''", re.IGNORECASE)  # may be any procedure
_EXPLAINS = re.compile(r"\s*(?:CYPHER\b[\s\w.=]*?)?\bEXPLAIN\b", re.IGNORECASE)
_COMMITS = re.compile(r"\bIN\s+(?:\S+\s+CONCURRENT\s+)?TRANSACTIONS\b", re.IGNORECASE)
_LOADS_FILES = re.compile(r"(?<![A-Za-z_.:$&|])LOAD\s+CSV(?!\w)", re.IGNORECASE)
_PROFILES = re.compile(r"\s*(?:CYPHER\b[\s\w.=]*?)?\bPROFILE\b", re.IGNORECASE)
_ELEMENT_ID = re.compile(r"\b(?:elementId|id)\s*\(\s*\w+\s*\)\s*(?:=|<>|IN\b)", re.IGNORECASE)
_CREATES_RULE = re.compile(
    r"^(\s*CREATE\s+(?:CONSTRAINT|INDEX)\s+(?:`(?:``|[^`])*`|\w+))\s+(FOR\b)", re.IGNORECASE
)
_ESCAPE = "\\u"  # may encode any letter, so that no keyword is recognized

_MAX_ROWS = 1_000_000_000


def may_write(cypher: str) -> bool:
    """Return whether a statement may write.

    Never False for a statement that writes; it may be True for one that only reads (a variable
    named like a clause, an unknown procedure).
    """
    return _WRITES.search(strip_quoted(cypher)) is not None


def forbidden_in_read_mode(cypher: str) -> str | None:
    """Return why a statement is not allowed in read mode, or None.

    Covers effects that servers allow in read mode, or reject without a clear error. Ordinary writes
    are left to the server.
    """
    text = strip_quoted(cypher)
    if _EXPLAINS.match(text):
        return None
    if _CALLS_QUOTED.search(text):
        return "calls a procedure by a quoted name"
    if _ESCAPE in text:
        return "contains an escape (\\u) that may hide a clause"
    if _LOADS_FILES.search(text):
        return "reads a file on the server"
    if _administers(text):
        return "affects the server or other clients"
    if _PROFILES.match(text) and _WRITES.search(text):
        return "may write"
    return None


def is_explained(cypher: str) -> bool:
    """Return whether a statement begins with EXPLAIN or PROFILE."""
    text = strip_quoted(cypher)
    return _EXPLAINS.match(text) is not None or _PROFILES.match(text) is not None


def survives_rollback(cypher: str) -> bool:
    """Return whether a statement may have effects that can't be rolled back."""
    text = strip_quoted(cypher)
    return _ESCAPE in text or _administers(text) or _COMMITS.search(text) is not None


def commits_in_batches(cypher: str) -> bool:
    """Return whether a statement commits its own transactions: ``CALL {...} IN TRANSACTIONS``."""
    return _COMMITS.search(strip_quoted(cypher)) is not None


def matches_element_ids(cypher: str) -> bool:
    """Return whether a statement looks nodes up by their element ids."""
    return _ELEMENT_ID.search(strip_quoted(cypher)) is not None


def create_if_missing(cypher: str) -> str:
    """Make a statement that creates an index or a constraint repeatable."""
    return _CREATES_RULE.sub(r"\1 IF NOT EXISTS \2", cypher)


def _administers(text: str) -> bool:
    patterns = (_ADMINISTRATION.match, _AFFECTS_SERVER.search, _CALLS_QUOTED.search)
    return any(pattern(text) for pattern in patterns)


def strip_quoted(cypher: str) -> str:
    """Remove comments, and empty quoted strings and names; line breaks remain."""

    def strip(match: re.Match[str]) -> str:
        return (" " if match["comment"] else "''") + "\n" * match[0].count("\n")

    return _COMMENT_OR_QUOTED.sub(strip, cypher)


def match_uid(variable: str, label: str, uid: str) -> str:
    """Return the clause that matches a node by label and uid, where `uid` is an expression.

    The index hint is for Neo4j: plans cached while a label has few nodes would scan the index for
    every row, and a load into a small graph would take 25 times as long.
    """
    node = f"{variable}:{quote_name(label)}"
    return f"MATCH ({node} {{uid: {uid}}}) USING INDEX SEEK {node}(uid)"


def clamp_limit(limit: int) -> int:
    """Return a limit that every engine accepts; the maximum exceeds any result held in memory.

    Limits are 32-bit integers on the embedded engine, which truncates larger ones, and 64-bit
    integers on Neo4j.
    """
    return min(limit, _MAX_ROWS)


def quote_name(name: str) -> str:
    """Quote a label, type or property name for a statement."""
    return "`" + name.replace("`", "``") + "`"

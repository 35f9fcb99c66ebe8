"""What can be told from the text of a Cypher statement."""

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
# Clauses that begin a statement about the schema or users; it can't stand anywhere else.
_ADMINISTERS = re.compile(
    r"\s*(?:(?:EXPLAIN|PROFILE|CYPHER)\s[\s\w.=]*?)?"
    r"(?:CREATE|DROP|ALTER|RENAME|GRANT|DENY|REVOKE|ENABLE|START|STOP)\s+(?!\w+\s*=)\w",
    re.IGNORECASE,
)
# What acts on the server or on its other clients wherever it stands.
_ACTS_ON_OTHERS = re.compile(
    r"\bTERMINATE\s+TRANSACTIONS?\b"
    r"|\bCALL\s+dbms\s*\.(?!\s*(?:components|info|list\w*|show\w*|queryJmx|routing)\b)",
    re.IGNORECASE,
)
_CALLS_QUOTED = re.compile(r"\bCALL\s+''", re.IGNORECASE)  # which may be any procedure
_EXPLAINS = re.compile(r"\s*(?:CYPHER\b[\s\w.=]*?)?\bEXPLAIN\b", re.IGNORECASE)
_COMMITS = re.compile(r"\bIN\s+(?:\S+\s+CONCURRENT\s+)?TRANSACTIONS\b", re.IGNORECASE)
_LOADS_FILES = re.compile(r"(?<![A-Za-z_.:$&|])LOAD\s+CSV(?!\w)", re.IGNORECASE)
_PROFILES = re.compile(r"\s*(?:CYPHER\b[\s\w.=]*?)?\bPROFILE\b", re.IGNORECASE)
_ESCAPE = "\\u"  # may stand for any letter

_MOST_ROWS = 1_000_000_000


def may_write(cypher: str) -> bool:
    """Tell whether a statement may write, as far as its text shows.

    It errs on the safe side: a statement that writes is always told, one that only reads may be
    told too (a variable named like a clause, a procedure that is not known to read).
    """
    return _WRITES.search(_bare(cypher)) is not None


def forbidden_in_read_mode(cypher: str) -> str | None:
    """Say what a statement does that a server lets a mere reader do, or refuses too late to tell.

    None where it only reads, or is a plain write: the server refuses that.
    """
    bare = _bare(cypher)
    if _EXPLAINS.match(bare):
        return None
    if _CALLS_QUOTED.search(bare):
        return "calls a procedure whose name is quoted"
    if _ESCAPE in bare:
        return "has an escape (\\u) that may stand for any clause"
    if _LOADS_FILES.search(bare):
        return "reads a file of the server"
    if _administers(bare):
        return "acts on the server or on its other clients"
    if _PROFILES.match(bare) and _WRITES.search(bare):
        return "may write"
    return None


def survives_rollback(cypher: str) -> bool:
    """Tell whether something of a statement stays when its transaction is rolled back."""
    bare = _bare(cypher)
    return _ESCAPE in bare or _administers(bare) or _COMMITS.search(bare) is not None


def _administers(bare: str) -> bool:
    return any((_ADMINISTERS.match(bare), _ACTS_ON_OTHERS.search(bare), _CALLS_QUOTED.search(bare)))


def _bare(cypher: str) -> str:
    """Return a statement without its comments, quoted texts and quoted names."""
    return _COMMENT_OR_QUOTED.sub(lambda found: " " if found["comment"] else "''", cypher)


def match_uid(variable: str, label: str, uid: str) -> str:
    """Return the clause that finds a node by its label and an expression for its uid.

    The hint is for Neo4j: where it thinks that there are few nodes, as it still does while many are
    loaded, a scan of the index is as good to it as a look into it, and it does one for every row.
    """
    node = f"{variable}:{quote_name(label)}"
    return f"MATCH ({node} {{uid: {uid}}}) USING INDEX SEEK {node}(uid)"


def clamp_limit(limit: int) -> int:
    """Return a limit as a statement may have it: as many rows as nobody holds in memory.

    The embedded engine counts in 32 bits: larger ones come out as others there, Neo4j's end at 64.
    """
    return min(limit, _MOST_ROWS)


def quote_name(name: str) -> str:
    """Quote a label, type or property name for a statement."""
    return "`" + name.replace("`", "``") + "`"

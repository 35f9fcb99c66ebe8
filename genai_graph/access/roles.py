"""The roles: who may do what, declared once, and as statements for Neo4j Enterprise and Aura."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genai_graph.database import current_connection, query, quote_name
from genai_graph.database.error_translation import translate_errors
from genai_graph.errors import EditionError
from genai_graph.properties import encryption
from genai_graph.registry import EDGES, NODES

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Role:
    """What its users may do with nodes and edges of our kinds; what is not said, they may not."""

    name: str
    meaning: str
    sees_sensitive: bool = False
    writes: bool = False
    changes_schema: bool = False


READER = Role("genai_graph_reader", "reads everything but what is sensitive")
WRITER = Role(
    "genai_graph_writer",
    "reads everything and writes nodes and edges, but no constraint and no index",
    sees_sensitive=True,
    writes=True,
)
ADMIN = Role(
    "genai_graph_admin",
    "reads and writes everything, and makes the constraints and indexes",
    sees_sensitive=True,
    writes=True,
    changes_schema=True,
)
ROLES = (READER, WRITER, ADMIN)

COMMUNITY = (
    "Neo4j Community has no roles, so nothing was applied. It can't enforce that readers only "
    "read, that writers leave the schema alone, and that readers don't see what is sensitive: "
    "everyone who may log in may read and write everything, and read files of the server by LOAD "
    "CSV. What holds there too: what GENAI_GRAPH_KEYS encrypts is clear only to who has the key, "
    "and the commands that read ask in READ mode. Roles need Neo4j Enterprise or Aura"
)
EMBEDDED = (
    "the embedded engine has no statements for roles, and needs none: `genai-graph access users "
    "add` makes users who may only read, or write without changing the schema"
)


def statements(database: str | None = None, encrypted: str | None = None) -> list[str]:
    """Return the statements that make the roles and say what each may do; safe to repeat.

    They are for one database, or for each user's home database. `encrypted` names what is
    sensitive in place of the models' marks, as `GENAI_GRAPH_ENCRYPTED` does.

    Raises `SettingsError`.
    """
    return [line for role in ROLES for line in _statements(role, database, encrypted)]


def script(database: str | None = None, encrypted: str | None = None) -> str:
    """Return the statements as a script for cypher-shell or Neo4j Browser, with comments."""
    lines = [
        "// Roles of genai_graph for Neo4j Enterprise and Aura; safe to repeat.",
        f"// Then give each user one: GRANT ROLE {READER.name} TO ann",
    ]
    for role in ROLES:
        lines += ["", f"// {role.name} {role.meaning}"]
        lines += [f"{line};" for line in _statements(role, database, encrypted)]
    return "\n".join(lines)


def apply() -> int:
    """Run the statements on the database that is connected, and return how many.

    Raises `EditionError` where its edition has no roles, `ReadOnlyError` where its user may not.
    """
    connection = current_connection()
    if connection.engine == "embedded":
        raise EditionError(EMBEDDED)
    if query("CALL dbms.components() YIELD edition RETURN edition")[0]["edition"] == "community":
        raise EditionError(COMMUNITY)
    lines = statements(connection.database, connection.encrypted)
    with (
        translate_errors(connection.is_stopping),
        connection.driver("WRITE").session(database="system") as session,
    ):
        for line in lines:
            session.run(line).consume()
    return len(lines)


def _statements(role: Role, database: str | None, encrypted: str | None) -> Iterator[str]:
    where = "HOME DATABASE" if database is None else f"DATABASE {quote_name(database)}"
    graph = "HOME GRAPH" if database is None else f"GRAPH {quote_name(database)}"
    to = f"TO {role.name}"
    ours = [
        f"ON {graph} NODES {', '.join(map(quote_name, NODES))} {to}",
        f"ON {graph} RELATIONSHIPS {', '.join(map(quote_name, _types()))} {to}",
    ]
    yield f"CREATE ROLE {role.name} IF NOT EXISTS"
    yield f"GRANT ACCESS ON {where} {to}"
    yield f"GRANT SHOW CONSTRAINT ON {where} {to}"
    yield f"GRANT SHOW INDEX ON {where} {to}"
    yield from (f"GRANT MATCH {{*}} {each}" for each in ours)
    if not role.sees_sensitive:
        for labels, names in _sensitive(encrypted).items():
            listed = ", ".join(map(quote_name, names))
            yield f"DENY READ {{{listed}}} ON {graph} NODES {', '.join(map(quote_name, labels))} {to}"
    if role.writes:
        for privilege in ("CREATE", "DELETE", "SET PROPERTY {*}"):
            yield from (f"GRANT {privilege} {each}" for each in ours)
        yield f"GRANT NAME MANAGEMENT ON {where} {to}"  # the first property or edge of its name
    if role.changes_schema:
        yield f"GRANT CONSTRAINT MANAGEMENT ON {where} {to}"
        yield f"GRANT INDEX MANAGEMENT ON {where} {to}"
    else:
        yield f"DENY LOAD ON ALL DATA {to}"


def _types() -> list[str]:
    return list(dict.fromkeys(kind.type for kind in EDGES))


def _sensitive(encrypted: str | None) -> dict[tuple[str, ...], list[str]]:
    """Return the sensitive properties by the labels that have them."""
    labels: dict[str, list[str]] = defaultdict(list)
    for label, names in encryption.encrypted_properties(encrypted).items():
        for name in sorted(names):
            labels[name].append(label)
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in sorted(labels):
        found[tuple(labels[name])].append(name)
    return found

"""Roles, and their Cypher statements for Neo4j Enterprise and Aura."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genai_graph import registry
from genai_graph.database import current_connection, query, quote_name, retry
from genai_graph.database.error_translation import translate_errors
from genai_graph.errors import EditionError
from genai_graph.properties import encryption
from genai_graph.properties.json_columns import is_in_json
from genai_graph.registry import NODES, edge_type_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


@dataclass(frozen=True)
class Role:
    """The privileges of a role on the nodes and edges of the models; everything else is denied."""

    name: str
    description: str
    sees_sensitive: bool = False
    writes: bool = False
    changes_schema: bool = False


READER = Role("genai_graph_reader", "reads everything except sensitive properties")
WRITER = Role(
    "genai_graph_writer",
    "reads everything and writes nodes and edges, but no constraints and no indexes",
    sees_sensitive=True,
    writes=True,
)
ADMIN = Role(
    "genai_graph_admin",
    "reads and writes everything, and creates the constraints and indexes",
    sees_sensitive=True,
    writes=True,
    changes_schema=True,
)
ROLES = (READER, WRITER, ADMIN)

COMMUNITY = (
    "Neo4j Community has no roles, nothing was applied: every user can read and write all data, "
    "change the schema, and read files of the server with LOAD CSV. Still in effect: encrypted "
    "values can only be read with the key, and reading commands connect in READ mode. Roles need "
    "Neo4j Enterprise or Aura"
)


def statements(
    database: str | None = None, encrypted: str | None = None, keys: Iterable[str] = ()
) -> list[str]:
    """Return the statements that create the roles and their privileges; safe to repeat.

    `database` defaults to the home database of each user. `encrypted` overrides the sensitive
    properties, in the format of ``GENAI_GRAPH_ENCRYPTED``. `keys` are the names of the properties
    in the database: those inside sensitive JSON are hidden, too, since Neo4j has no privilege for
    all names with a prefix.

    Raises `SettingsError` if `encrypted` is invalid.
    """
    registry.close()
    keys = list(keys)
    return [line for role in ROLES for line in _statements(role, database, encrypted, keys)]


def script(database: str | None = None, encrypted: str | None = None) -> str:
    """Return the statements as a commented script for cypher-shell or Neo4j Browser."""
    registry.close()
    lines = [
        "// Roles of genai_graph for Neo4j Enterprise and Aura; safe to repeat.",
        f"// Then grant each user one of them: GRANT ROLE {READER.name} TO ann",
        "// They do not hide the keys of sensitive JSON (metadata.x): `access apply` does.",
    ]
    for role in ROLES:
        lines += ["", f"// {role.name} {role.description}"]
        lines += [f"{line};" for line in _statements(role, database, encrypted)]
    return "\n".join(lines)


def apply() -> int:
    """Run the statements on the connected server, and return their number.

    Raises `EditionError` if the edition has no roles, and `ReadOnlyError` if the user lacks the
    privilege.
    """
    connection = current_connection()
    if connection.engine == "embedded":
        raise EditionError(
            "the embedded engine has no role statements: use `genai-graph access users add` to "
            "create users that can only read, or write without changing the schema"
        )
    if query("CALL dbms.components() YIELD edition RETURN edition")[0]["edition"] == "community":
        raise EditionError(COMMUNITY)
    keys = [row["propertyKey"] for row in query("CALL db.propertyKeys()")]
    lines = statements(connection.database, connection.encrypted, keys)

    def run() -> None:
        with (
            translate_errors(connection.is_stopping),
            connection.driver("WRITE").session(database="system") as session,
        ):
            for line in lines:
                session.run(line).consume()

    retry(run, idempotent=True)
    return len(lines)


def _statements(
    role: Role, database: str | None, encrypted: str | None, keys: Collection[str] = ()
) -> Iterator[str]:
    target = "HOME DATABASE" if database is None else f"DATABASE {quote_name(database)}"
    graph = "HOME GRAPH" if database is None else f"GRAPH {quote_name(database)}"
    to = f"TO {role.name}"
    types = edge_type_names()
    scopes = [
        f"ON {graph} NODES {', '.join(map(quote_name, NODES))} {to}",
        f"ON {graph} RELATIONSHIPS {', '.join(map(quote_name, types))} {to}",
    ]
    yield f"CREATE ROLE {role.name} IF NOT EXISTS"
    for privilege in ("ACCESS", "SHOW CONSTRAINT", "SHOW INDEX"):
        yield f"GRANT {privilege} ON {target} {to}"
    yield from (f"GRANT MATCH {{*}} {scope}" for scope in scopes)
    if not role.sees_sensitive:
        for labels, names in _sensitive_by_labels(encrypted).items():
            inside = (key for key in sorted(keys) if is_in_json(key, names))
            hidden = [*names, *inside]
            properties, nodes = (", ".join(map(quote_name, each)) for each in (hidden, labels))
            yield f"DENY READ {{{properties}}} ON {graph} NODES {nodes} {to}"
    if role.writes:
        for privilege in ("CREATE", "DELETE", "SET PROPERTY {*}"):
            yield from (f"GRANT {privilege} {scope}" for scope in scopes)
        # Needed to write the first property or edge with a new name.
        yield f"GRANT NAME MANAGEMENT ON {target} {to}"
    if role.changes_schema:
        yield f"GRANT CONSTRAINT MANAGEMENT ON {target} {to}"
        yield f"GRANT INDEX MANAGEMENT ON {target} {to}"
    else:
        yield f"DENY LOAD ON ALL DATA {to}"


def _sensitive_by_labels(encrypted: str | None) -> dict[tuple[str, ...], list[str]]:
    """Return the sensitive properties, grouped by the labels that have them."""
    labels: dict[str, list[str]] = defaultdict(list)
    for label, names in encryption.encrypted_properties(encrypted).items():
        for name in sorted(names):
            labels[name].append(label)
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in sorted(labels):
        groups[tuple(labels[name])].append(name)
    return groups

"""The runs of an earlier import, with the values that an incremental import compares."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from genai_graph.database import query


class RunState(NamedTuple):
    """Values by which a changed run is recognized; `last` is the time of its newest metric."""

    name: str | None
    status: str | None
    ended_at: datetime | None
    last: datetime | None


def find_known_runs(origin: str) -> dict[str, RunState]:
    """Return the runs that imports of an origin created, by uid."""
    rows = query(
        "MATCH (x:Experiment {origin: $origin}) OPTIONAL MATCH (x)-[:HAS]->(m:Metric) "
        "RETURN x.uid AS uid, x.name AS name, x.status AS status, x.ended_at AS ended_at, "
        "max(m.recorded_at) AS last",
        origin=origin,
    )
    return {
        row["uid"]: RunState(row["name"], row["status"], row["ended_at"], row["last"])
        for row in rows
    }

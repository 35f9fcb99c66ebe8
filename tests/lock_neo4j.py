"""Write a lock: ``python tests/lock_neo4j.py 2026.08.1 neo4j neo4j-bolt > FILE``.

Maven itself says which jars belong to it (jgo's own resolver also takes jars that only tests need);
jgo runs it and brings the files.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from jgo.maven import Artifact, MavenContext, MvnResolver, PythonResolver

from genai_graph.server.jars import Jar, digest


def artifacts(version: str, names: list[str]) -> list[Artifact]:
    """Return what artifacts of org.neo4j need at run time, and themselves."""
    context = MavenContext(resolver=MvnResolver(Path(shutil.which("mvn") or "mvn")))
    needed = [context.create_dependency(f"org.neo4j:{name}:{version}") for name in names]
    inputs, others = context.resolver.resolve(needed)
    return [dependency.artifact for dependency in inputs + others]


def locked(artifact: Artifact) -> Jar:
    """Fetch an artifact anew, and return its line."""
    with tempfile.TemporaryDirectory() as folder:
        artifact.context.repo_cache = Path(folder)
        artifact.context.resolver = PythonResolver()
        file = artifact.resolve()
        return Jar(
            digest(file),
            file.stat().st_size,
            artifact.groupId,
            artifact.artifactId,
            artifact.version,
            artifact.classifier or None,
        )


def main(version: str, *names: str) -> None:
    """Print the lock."""
    jars = [locked(artifact) for artifact in artifacts(version, list(names))]
    print(f"# {' '.join(names)} {version} (SHA-256, bytes, coordinates), by tests/lock_neo4j.py")
    for jar in sorted(jars, key=lambda jar: (*jar[2:5], jar.classifier or "")):
        print(jar)


if __name__ == "__main__":
    main(*sys.argv[1:])

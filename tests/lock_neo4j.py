"""Write a lock file: ``python tests/lock_neo4j.py 2026.08.1 neo4j neo4j-bolt > FILE``.

Maven (`mvn` on PATH) resolves the runtime dependencies and downloads them to a new repository.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from genai_graph.server.jars import Jar

POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>lock</groupId>
  <artifactId>lock</artifactId>
  <version>1</version>
  <dependencyManagement><dependencies>{managed}</dependencies></dependencyManagement>
  <dependencies>{dependencies}</dependencies>
</project>
"""
DEPENDENCY = """
    <dependency>
      <groupId>org.neo4j</groupId>
      <artifactId>{}</artifactId>
      <version>{}</version>
      {}
    </dependency>"""
IMPORT = "<type>pom</type><scope>import</scope>"


def resolve(version: str, artifacts: list[str], directory: Path) -> list[Jar]:
    """Return the jars of artifacts of org.neo4j with their runtime dependencies."""

    def dependencies(more: str) -> str:
        return "".join(DEPENDENCY.format(artifact, version, more) for artifact in artifacts)

    # The import applies the versions that Neo4j itself manages to the transitive dependencies.
    pom = POM.format(managed=dependencies(IMPORT), dependencies=dependencies(""))
    (directory / "pom.xml").write_text(pom)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"]
    repository = f"-Dmaven.repo.local={directory / 'repository'}"
    command = ["mvn", "--batch-mode", *goal, "-Dmdep.useRepositoryLayout=true", repository]
    subprocess.run(command, cwd=directory, stdout=sys.stderr, check=True)
    return [lock(file, directory / "lib") for file in (directory / "lib").rglob("*.jar")]


def lock(file: Path, repository: Path) -> Jar:
    """Return the line of the lock file for a jar in a repository."""
    *group, artifact, version = file.parent.relative_to(repository).parts
    classifier = file.stem.removeprefix(f"{artifact}-{version}").removeprefix("-") or None
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Jar(digest, len(content), ".".join(group), artifact, version, classifier)


def main(version: str, *artifacts: str) -> None:
    """Print the lock file."""
    with tempfile.TemporaryDirectory() as directory:
        jars = resolve(version, list(artifacts), Path(directory))
    print(
        f"# {' '.join(artifacts)} {version} (SHA-256, bytes, coordinates), by tests/lock_neo4j.py"
    )
    for jar in sorted(jars, key=lambda jar: (*jar[2:5], jar.classifier or "")):
        print(jar)


if __name__ == "__main__":
    main(*sys.argv[1:])

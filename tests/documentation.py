"""The Python examples of the documentation: found, type-checked, and run by test_documentation."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> str:
    """Return the Python blocks of a page as one program."""
    return "\n\n".join(_BLOCK.findall(page.read_text(encoding="utf-8")))


def check_types() -> int:
    """Run mypy --strict over the examples of every page."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for page in PAGES:
            if code := examples(page):
                file = Path(folder, f"{page.stem.lower()}_examples.py")
                file.write_text(code, encoding="utf-8")
                files.append(str(file))
        return subprocess.run(
            [sys.executable, "-m", "mypy", *files], cwd=ROOT, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(check_types())

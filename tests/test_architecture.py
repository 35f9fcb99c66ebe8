"""The structure of the package: imports file by file, length of functions, public docstrings.

Imports are read from the source, those in functions included. Those under `if TYPE_CHECKING:` are
for annotations alone.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import genai_graph

PACKAGE = Path(genai_graph.__file__).parent
Layers = Sequence[Sequence[str]]
# From the bottom up: files and packages. A file imports only from the layers below it and from its
# own package; names of one layer don't import each other. `exchange.formats` is not in `exchange`.
LAYERS: Layers = [
    ["errors"],
    ["advice", "conversion", "formatting", "licenses", "names"],
    ["server", "pictures"],
    ["database"],
    ["registry"],
    ["properties"],
    ["storage"],
    ["lineage"],
    ["ogm", "metric_history"],
    ["models"],
    ["schema", "schema_diagram", "signatures", "type_stubs", "access", "exchange.formats"],
    ["status", "exchange"],
    ["importers"],
    ["importers.mlflow"],
    ["questions", "integrity", "runs", "searches"],
    ["comparison"],
    ["integrations"],
    ["__init__"],  # the public names
    ["shell", "pytest_plugin"],
    ["cli"],
    ["__main__"],
]
# The files of each package, from the bottom up. A file imports only from the lines above its own.
FILE_ORDER = {
    "access": ["keys roles users"],
    "cli": [
        "connecting interrupts label_argument output progress_bar stdin",
        "access_commands ask compare load_dump query runs_commands schema_commands search shell "
        "show status_clear",
        "import_command server verify",
        "__init__",
    ],
    "database": [
        "addresses",
        "cypher error_translation keyring ownership products query_logging rows values",
        "settings",
        "security",
        "retries",
        "driver",
        "connection",
        "sandbox transaction",
        "asynchronous",
        "__init__ indexes",
    ],
    "exchange": [
        "filenames graph_reader import_files journal_writes progress record_stream uid_table "
        "undeclared",
        "clearing output sources",
        "consistency dumper",
        "loader",
        "__init__ bulk_import",
    ],
    "exchange.formats": [
        "compression json_decoders parsing records",
        "builders csv_cells csv_schema cypher journal json",
        "csv document jsonl yaml",
    ],
    "importers": [
        "files hub_ids kinds known_runs pruning reconciling records safe_yaml secret_values",
        "json_ld tables times",
        "builder cards context mlflow_conventions report scores spool",
        "column_map",
        "croissant csv_runs huggingface importing",
        "__init__",
    ],
    "importers.mlflow": [
        "entities histories rest tables",
        "database datasets file_store nesting selection server_store",
        "mapping",
        "__init__",
    ],
    "integrations": ["values", "keras lightgbm lightning sklearn transformers xgboost", "__init__"],
    "integrity": [
        "findings",
        "edge_checks schema_checks uid_checks undeclared_checks",
        "node_checks",
        "__init__",
    ],
    "ogm": [
        "edge json_ready lookup_errors lookups resolution stubs uids",
        "bulk_writes class_help json_texts tables",
        "json_lookups",
        "conditions",
        "aggregates",
        "compiler",
        "prefetch result_shapes",
        "node_set",
        "related_set",
        "managers node",
        "relationships",
        "extension",
    ],
    "pictures": [
        "curves html_table spanning_tree style text_table",
        "dot html_page mermaid svg text_tree",
        "formats subgraph",
    ],
    "properties": [
        "literals messages redaction",
        "choices json_values",
        "json_columns",
        "encryption",
        "validation",
        "types",
        "__init__",
    ],
    "questions": [
        "derivation directions property_names question spelling splits",
        "facts",
        "notices question_file",
        "catalog",
        "answer",
        "__init__",
    ],
    "runs": [
        "environment journal lines",
        "journal_files",
        "sending",
        "background summary",
        "run",
        "__init__",
    ],
    "searches": ["parsing", "conditions", "reading", "results", "__init__"],
    "server": ["locks", "jars lifecycle", "arcadedb neo4j_community", "engines"],
    "shell": ["calls", "property_completion", "completion", "ipython", "__init__"],
    "storage": [
        "batching rows",
        "columns",
        "encrypted_values lookups",
        "given_values",
        "edge_rules nodes scans",
        "bulk_deletes edges exclusive_nodes histories protection renaming suggestions",
    ],
}
LINES = {
    f"{package}.{file}".removesuffix(".__init__"): (package, line)
    for package, lines in FILE_ORDER.items()
    for line, files in enumerate(lines)
    for file in files.split()
}
# The registry is typed with the classes that register themselves in it, and imports none of them.
# The bases of the models that type checkers see are generated from the models.
UPWARD_ANNOTATIONS = {("registry", "ogm"), ("registry", "properties"), ("models", "signatures")}
# Imports in functions: for the start-up time of the command line and of pytest,
FAST_START = ["cli", "pytest_plugin", "__init__"]
# and of dependencies that are optional or rarely needed and slow to import.
DEFERRED_FILES = ["shell.ipython"]
DEFERRED_MODULES = [
    *(
        "cryptography",
        "httpx",
        "jgo",
        "matplotlib",
        "pandas",
        "plotext",
        "rapidfuzz",
        "readline",
        "rich",
        "rlcompleter",
        "sqlalchemy",
    )
]
LONGEST_FUNCTION = 60


class Import(NamedTuple):
    """An import statement: the files are named as in LAYERS; other imported modules in full."""

    importer: str
    imported: str
    is_internal: bool
    in_function: bool = False
    for_annotations: bool = False

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported}"


# Reading imports


def module_names(package: Path) -> dict[str, Path]:
    """Return the files of a package by name: `models`, `exchange.formats.csv`, `__init__`."""
    names = {}
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.pyi")]):
        parts = path.relative_to(package).with_suffix("").parts
        is_subpackage = len(parts) > 1 and parts[-1] == "__init__"
        names[".".join(parts[:-1] if is_subpackage else parts)] = path
    return names


def read_imports(package: Path) -> list[Import]:
    """Return all imports of the files of a package."""
    files = module_names(package)
    found = []
    for importer, path in files.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for statement, in_function, for_annotations in import_statements(tree):
            for name in imported_names(statement):
                imported, is_internal = resolve(name, package.name, files)
                found.append(Import(importer, imported, is_internal, in_function, for_annotations))
    return [one for one in dict.fromkeys(found) if one.importer != one.imported]


def import_statements(
    node: ast.AST, in_function: bool = False, for_annotations: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    """Yield the imports below a node, with whether they are in a function and for annotations."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, in_function, for_annotations
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            body = ast.Module(child.body, [])
            yield from import_statements(body, in_function, for_annotations=True)
            yield from import_statements(ast.Module(child.orelse, []), in_function, for_annotations)
        else:
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            yield from import_statements(child, in_function or is_function, for_annotations)


def imported_names(statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    assert statement.level == 0, f"relative import: {ast.unparse(statement)}"
    return [f"{statement.module}.{alias.name}" for alias in statement.names]


def resolve(name: str, package: str, files: Mapping[str, Path]) -> tuple[str, bool]:
    """Return the imported file and True, or the name of a module outside the package and False."""
    if name.partition(".")[0] != package:
        return name, False
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in files:
        parts.pop()  # the name of a class or function
    return ".".join(parts) or "__init__", True


# Checking imports


def layer_of(file: str, layers: Layers) -> tuple[int, str]:
    """Return the number of a file's layer and the name in it that has the file."""
    matches = [
        (number, name)
        for number, names in enumerate(layers)
        for name in names
        if file == name or file.startswith(f"{name}.")
    ]
    assert matches, f"{file} has no layer"
    return max(matches, key=lambda match: len(match[1]))


def layer_errors(imports: list[Import], files: Mapping[str, Path], layers: Layers) -> list[str]:
    """Return the imports from a higher layer, and those between names of one layer."""
    errors = []
    for one in imports:
        if not one.is_internal:
            continue
        importer, imported = layer_of(one.importer, layers), layer_of(one.imported, layers)
        if imported[0] < importer[0] or imported == importer:
            continue
        is_allowed = one.for_annotations and (
            files[one.importer].parent == files[one.imported].parent != files["__init__"].parent
            or (importer[1], imported[1]) in UPWARD_ANNOTATIONS
        )
        if not is_allowed:
            errors.append(f"{one}, which is not in a layer below it")
    return errors


def order_errors(imports: list[Import]) -> list[str]:
    """Return the imports between files of one package that are not from a line above."""
    errors = []
    for one in imports:
        importer, imported = LINES.get(one.importer), LINES.get(one.imported)
        if one.for_annotations or not importer or not imported:
            continue
        if importer[0] == imported[0] and importer[1] <= imported[1]:
            errors.append(f"{one}, which is not in a line above it")
    return errors


def find_cycle(imports: list[Import]) -> list[str]:
    """Return the files of an import cycle, or an empty list; annotations don't count."""
    graph: dict[str, set[str]] = {}
    for one in imports:
        if one.is_internal and not one.for_annotations:
            graph.setdefault(one.importer, set()).add(one.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def deferred_import_errors(imports: list[Import]) -> list[str]:
    """Return the imports in functions that have no accepted reason."""
    return [
        f"{one} in a function"
        for one in imports
        if one.in_function
        and one.importer.partition(".")[0] not in FAST_START
        and one.imported not in DEFERRED_FILES
        and (one.is_internal or one.imported.partition(".")[0] not in DEFERRED_MODULES)
    ]


FILES = module_names(PACKAGE)
IMPORTS = read_imports(PACKAGE)


def test_every_file_has_a_layer_and_imports_only_lower_ones() -> None:
    assert len(FILES) > 100
    assert not layer_errors(IMPORTS, FILES, LAYERS)
    for file in FILES:
        layer_of(file, LAYERS)


def test_every_layer_exists() -> None:
    assert {name for names in LAYERS for name in names} <= set(FILES)


def test_files_do_not_import_each_other_in_a_cycle() -> None:
    assert not find_cycle(IMPORTS)


def test_imports_in_functions_have_an_accepted_reason() -> None:
    assert not deferred_import_errors(IMPORTS)


def test_files_of_a_package_import_in_one_order() -> None:
    assert not order_errors(IMPORTS)
    unordered = {file for file in FILES if "." in file} - set(LINES) - {"exchange.formats"}
    assert not unordered


def test_each_import_is_an_error_if_it_is_reversed() -> None:
    inner = [one for one in IMPORTS if one.is_internal and not one.for_annotations]
    assert len(inner) > 200
    for one in inner:
        turned = one._replace(importer=one.imported, imported=one.importer)
        assert layer_errors([turned], FILES, LAYERS) or order_errors([turned]), str(turned)


VALID = {
    "__init__": "",
    "low": "import json\n",
    "middle/__init__": "",
    "middle/first": "from demo.low import x\n",
    "middle/second": (
        "from typing import TYPE_CHECKING\nfrom demo.middle import first\n"
        "if TYPE_CHECKING:\n    from demo.middle.third import y\n"
    ),
    "middle/third": "from demo.middle.second import y\n",
    "high": "import demo.middle.first\nfrom demo import low\n",
}
DEMO_LAYERS: Layers = [["low"], ["middle"], ["high"], ["__init__"]]


def errors_in(directory: Path, sources: dict[str, str]) -> list[str]:
    """Write a package of these sources, and return the errors of all checks."""
    package = directory / "demo"
    for name, source in sources.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    imports = read_imports(package)
    return [
        *layer_errors(imports, module_names(package), DEMO_LAYERS),
        *(["cycle"] if find_cycle(imports) else []),
        *deferred_import_errors(imports),
    ]


def test_a_valid_package_has_no_errors(tmp_path: Path) -> None:
    assert errors_in(tmp_path, VALID) == []


@pytest.mark.parametrize(
    ("file", "source", "expected"),
    [
        ("low", "from demo import high\n", ["low imports high, which", "cycle"]),
        ("low", "from demo.middle.first import x\n", ["low imports middle.first, which", "cycle"]),
        (
            "low",
            "def f():\n    import demo.high\n",
            ["low imports high, which", "cycle", "low imports high in a function"],
        ),
        (
            "low",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from demo.high import x\n",
            ["low imports high, which"],
        ),
        ("middle/first", "from demo.middle import second\n", ["cycle"]),
        (
            "middle/first",
            "class C:\n    def f(self):\n        from demo.middle.third import y\n",
            ["cycle", "middle.first imports middle.third in a function"],
        ),
        ("low", "def f():\n    import json\n", ["low imports json in a function"]),
    ],
)
def test_one_wrong_import_is_reported(
    tmp_path: Path, file: str, source: str, expected: list[str]
) -> None:
    errors = errors_in(tmp_path, {**VALID, file: source})
    assert len(errors) == len(expected), errors
    for error, start in zip(errors, expected, strict=True):
        assert error.startswith(start)


def test_a_file_without_a_layer_is_reported(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="extra has no layer"):
        errors_in(tmp_path, {**VALID, "extra": "from demo import low\n"})


# Functions, documentation, start-up time


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in FILES.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}", node


def test_no_function_is_longer_than_sixty_lines() -> None:
    long = [
        name
        for name, node in functions()
        if ".pyi:" not in name
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ]
    assert not long


@pytest.mark.parametrize("name", [name for name in genai_graph.__all__ if name != "__version__"])
def test_every_public_name_has_a_docstring(name: str) -> None:
    value = getattr(genai_graph, name)
    assert inspect.getdoc(value)
    if inspect.isclass(value):
        for attribute, member in vars(value).items():
            if inspect.isfunction(member) and not attribute.startswith("_"):
                assert member.__doc__, f"{name}.{attribute}"


def test_public_names_exist_and_others_raise() -> None:
    assert set(genai_graph.__all__) <= set(dir(genai_graph))
    with pytest.raises(AttributeError, match="nonsense"):
        genai_graph.nonsense  # noqa: B018


def test_every_public_name_has_a_type() -> None:
    """A name without an import for type checkers would be Any, because of `__getattr__`."""
    tree = ast.parse(FILES["__init__"].read_text(encoding="utf-8"))
    typed = {
        name.rpartition(".")[2]
        for statement, _, for_annotations in import_statements(tree)
        for name in imported_names(statement)
        if for_annotations
    }
    eager = {"__version__", "errors", "FixtureError", "GenaiGraphError"}
    assert typed == set(genai_graph.__all__) - eager


def test_help_imports_neither_neomodel_nor_the_driver() -> None:
    code = (
        "import sys\nfrom genai_graph.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'neomodel', 'neo4j', 'pydantic', 'msgspec', 'rich', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

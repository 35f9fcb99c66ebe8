"""Import from an MLflow tracking server: a server that replays the answers of MLflow 3.17.

The answers were recorded from `mlflow server` on the store 3.17.db.
"""

from __future__ import annotations

import json
import lzma
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import trustme
from test_import_mlflow import Graph, unpack

from genai_graph import import_from
from genai_graph.errors import GenaiGraphError, ImportSourceError, SettingsError
from genai_graph.importers.mlflow import rest

DATA = Path(__file__).parent / "data" / "mlflow"
ANSWERS: dict[str, Any] = json.loads(lzma.decompress((DATA / "3.17-server.json.xz").read_bytes()))
BULK = "get-history-bulk"
# Returns (status, headers, body) in the place of the recorded answer, or None.
Override = Callable[[str, int], "tuple[int, dict[str, str], bytes] | None"]


class Replay(BaseHTTPRequestHandler):
    """Answers requests as recorded, unless the server overrides the answer."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.answer(None)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.answer(json.loads(self.rfile.read(length)))

    def answer(self, body: Any) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/")
        self.server.requests.append((path, dict(self.headers)))
        count = sum(seen == path for seen, _ in self.server.requests)
        override = self.server.override(path, count)
        if override is not None:
            self.respond(*override)
            return
        parameters = sorted(map(list, parse_qsl(parts.query))) or None
        key = json.dumps([self.command, path, parameters, body], sort_keys=True)
        found = ANSWERS.get(key)
        if BULK in path and found is None:
            found = {"metrics": []}
        self.respond(200 if found is not None else 404, {}, json.dumps(found).encode())

    def respond(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if int(given["Content-Length"]) > len(body):
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Replay)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.pauses: list[float] = []  # of the client
        self.override: Override = lambda path, count: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    pytest.importorskip("httpx")
    server = Server()
    monkeypatch.setattr(rest, "time", SimpleNamespace(sleep=server.pauses.append))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def import_lines(source: str, **options: Any) -> list[str]:
    """Return the lines of the imported fixture, without the origin."""
    import_from("mlflow", source, output="out.jsonl", overwrite=True, **options)
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    for row in rows:
        row.get("props", {}).pop("origin", None)
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def test_a_server_gives_the_graph_of_its_database(server: Server) -> None:
    expected = import_lines(unpack("3.17.db"))
    assert import_lines(server.url) == expected
    assert import_lines(server.url, history=True) == expected
    graph = Graph("out.jsonl")
    origins = {props["origin"] for props in graph.nodes["Experiment"].values()}
    assert origins == {f"mlflow:{server.url.removeprefix('http://')}"}


def test_histories_are_read_one_by_one_if_there_is_no_bulk(server: Server) -> None:
    expected = import_lines(server.url)
    single = "api/2.0/mlflow/metrics/get-history"
    bulk = {key: value for key, value in ANSWERS.items() if BULK in key}
    points: dict[tuple[str, str], list[Any]] = {}
    for key, answer in bulk.items():
        name = dict(json.loads(key)[2])["metric_key"]
        for metric in answer["metrics"]:
            points.setdefault((metric["run_id"], name), []).append(metric)

    def override(path: str, count: int) -> tuple[int, dict[str, str], bytes] | None:
        return (404, {}, b"{}") if BULK in path else None

    server.override = override
    for (run_id, name), metrics in points.items():
        parameters = {"run_id": run_id, "metric_key": name, "max_results": "25000"}
        items = sorted(map(list, parameters.items()))
        ANSWERS[json.dumps(["GET", single, items, None], sort_keys=True)] = {"metrics": metrics}
    assert import_lines(server.url) == expected


def test_all_workspaces_of_a_server_are_imported(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {
        "server-info": {"workspaces_enabled": True},
        "workspaces": {"workspaces": [{"name": "default"}, {"name": "team"}]},
        "team": {"experiments": [{"experiment_id": "77", "name": "fraud"}]},
    }

    def override(path: str, count: int) -> tuple[int, dict[str, str], bytes] | None:
        name = path.rpartition("/")[2]
        if server.requests[-1][1].get("X-MLFLOW-WORKSPACE") == "team":
            name = "team"
            if "experiments" not in path:
                return 404, {}, b"{}"
        return (200, {}, json.dumps(other[name]).encode()) if name in other else None

    expected = import_lines(server.url)
    server.override = override
    lines = import_lines(server.url)
    assert len(lines) == len(expected) + 1
    assert '"uid": "team/fraud"' in "".join(set(lines) - set(expected))
    monkeypatch.setenv("MLFLOW_WORKSPACE", "team")
    assert import_lines(server.url)[1:] == sorted(set(lines) - set(expected))
    assert Graph("out.jsonl").nodes["Project"]["team/fraud"]["origin"].endswith("?workspace=team")


def test_items_that_move_to_the_next_page_are_read_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = import_lines(server.url)
    for request, answer in list(ANSWERS.items()):
        method, path, parameters, body = json.loads(request)
        if path.endswith("/search"):
            token = {"page_token": "again"}
            if body is None:
                following = [method, path, sorted([*parameters, ["page_token", "again"]]), None]
            else:
                following = [method, path, parameters, body | token]
            monkeypatch.setitem(ANSWERS, json.dumps(following, sort_keys=True), answer)
            first = {**answer, "next_page_token": "again"}
            monkeypatch.setitem(ANSWERS, request, first)
    assert import_lines(server.url) == expected


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 500, 503])
def test_requests_are_repeated(server: Server, status: int) -> None:
    expected = import_lines(server.url)
    server.requests.clear()
    for headers, pauses in (({"Retry-After": "90"}, [60, 60, 60]), ({}, [0.25, 0.5, 1])):
        server.override = lambda path, count, headers=headers: (
            (status, headers, b"busy") if count % 4 else None
        )
        server.pauses.clear()
        assert import_lines(server.url) == expected
        assert server.pauses[:3] == pauses


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ((500, {}, b'{"message": "out of order"}'), "answered with HTTP 500: out of order"),
        ((429, {}, b"slow down"), "answered with HTTP 429"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), "answered with text/html, not with JSON"),
        ((200, {"Content-Length": "1000"}, b'{"experiments": ['), "closed the connection"),
        ((401, {}, b"no"), "refused the login (HTTP 401): set MLFLOW_TRACKING_USERNAME"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "redirects to http://127.0.0.1:1/: use"),
        ((404, {}, b"not here"), "is not an MLflow server"),
        ((200, {}, b"[1]"), "not with JSON"),
    ],
)
def test_other_answers_are_errors(server: Server, override: Any, problem: str) -> None:
    server.override = lambda path, count: override
    with pytest.raises(ImportSourceError) as raised:
        import_lines(server.url)
    assert str(raised.value).startswith(server.url)
    assert problem in str(raised.value)
    assert not Path("out.jsonl").exists()


def test_a_server_that_is_silent_or_missing_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    server.override = lambda path, count: (release.wait(20), None)[1]
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "0.2")
    with pytest.raises(ImportSourceError, match="does not answer in time"):
        import_lines(server.url)
    release.set()
    with pytest.raises(ImportSourceError, match="can't be reached"):
        import_lines("http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "soon")
    with pytest.raises(SettingsError, match="MLFLOW_HTTP_REQUEST_TIMEOUT: expected seconds"):
        import_lines(server.url)


def test_a_run_without_models_in_its_experiment_can_use_one(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {request: json.loads(request)[1].rpartition("mlflow/")[2] for request in ANSWERS}
    runs = [
        r
        for key, kind in answers.items()
        if kind == "runs/search"
        for r in ANSWERS[key].get("runs", ())
    ]
    found = [
        (key, model)
        for key, kind in answers.items()
        if kind == "logged-models/search"
        for model in ANSWERS[key].get("models", ())
    ]
    with_models = {model["info"]["experiment_id"] for _, model in found}
    run = next(
        each
        for each in runs
        if each["info"]["experiment_id"] not in with_models
        and each["info"]["lifecycle_stage"] == "active"
    )
    request, model = found[0]
    run_id, model_id = run["info"]["run_id"], model["info"]["model_id"]
    point = {"key": "speed", "value": 1, "timestamp": 1, "step": 0, "run_id": run_id}
    data = {**model["data"], "metrics": [*model["data"].get("metrics", ()), point]}
    models = [{**model, "data": data}, *ANSWERS[request]["models"][1:]]
    monkeypatch.setitem(ANSWERS, request, {**ANSWERS[request], "models": models})
    whole = {"run": {**run, "inputs": {"model_inputs": [{"model_id": model_id}]}}}
    answer = json.dumps(["GET", "api/2.0/mlflow/runs/get", [["run_id", run_id]], None])
    monkeypatch.setitem(ANSWERS, answer, whole)
    import_lines(server.url)
    edges = Graph("out.jsonl").edges["Experiment-RUN->Model"]
    uses = [end for start, end in edges if start == run_id]
    assert [uid.rpartition("@")[2] for uid in uses] == [model_id]


def replace_values(answer: Any, key: str, value: Any) -> Any:
    """Return an answer with another value of a key, everywhere."""
    if isinstance(answer, dict):
        return {
            name: value if name == key else replace_values(item, key, value)
            for name, item in answer.items()
        }
    if isinstance(answer, list):
        return [replace_values(item, key, value) for item in answer]
    return answer


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data", 3),
        ("dataset", "x"),
        ("dataset_digest", [1]),
        ("digest", [1]),
        ("info", [1]),
        ("key", "\ud800"),
        ("inputs", 3),
        ("name", {"a": 1}),
        ("status", [1]),
        ("step", "x"),
        ("value", [1]),
        ("next_page_token", [1]),
        ("experiments", 3),
    ],
)
def test_odd_values_of_a_server_are_left_out(
    server: Server, monkeypatch: pytest.MonkeyPatch, key: str, value: Any
) -> None:
    for request, answer in list(ANSWERS.items()):
        if key == "next_page_token":
            answer = {**answer, key: value}
        monkeypatch.setitem(ANSWERS, request, replace_values(answer, key, value))
    assert import_lines(server.url)[0].startswith('{"')


def test_a_page_that_is_repeated_is_an_error(server: Server) -> None:
    page = json.dumps({"experiments": [], "next_page_token": "again"}).encode()
    server.override = lambda path, count: (200, {}, page) if "experiments" in path else None
    with pytest.raises(ImportSourceError, match=r"repeats a page of api/2\.0/mlflow/exp"):
        import_lines(server.url)
    assert len(server.requests) == 2


def test_certificates_are_verified_unless_the_variable_of_mlflow_says_no(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http://127.0.0.1", "https://localhost")
    with pytest.raises(ImportSourceError, match=r"can't be reached: .*CERTIFICATE_VERIFY_FAILED"):
        import_lines(url)
    authority.cert_pem.write_to_path("authority.pem")
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "authority.pem")
    expected = import_lines(url)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "missing.pem")
    with pytest.raises(SettingsError, match=r"MLFLOW_TRACKING_SERVER_CERT_PATH: missing\.pem: "):
        import_lines(url)
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    assert import_lines(url) == expected


def test_credentials_are_sent_as_headers_and_never_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    import_lines(server.url.replace("//", "//ann:s3cret@"))
    path, headers = server.requests[-1]
    assert headers["Authorization"].startswith("Basic ")
    assert "s3cret" not in path + caplog.text + Path("out.jsonl").read_text()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cret")
    import_lines(server.url)
    assert server.requests[-1][1]["Authorization"] == "Bearer s3cret"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    import_lines(server.url.replace("127.0.0.1", "localhost"))
    assert server.requests[-1][1]["Authorization"].startswith("Basic ")
    for url in ("http://example.org", "http://ann:s3cret@example.org/x"):
        with pytest.raises(GenaiGraphError, match="not sent unencrypted") as raised:
            import_lines(url)
        assert "s3cret" not in str(raised.value)

"""Failures of a cluster: leader changes, dead and hung members, commits without a response.

`cluster.Cluster` shows the client's half: three members in front of one Neo4j server.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import cluster as clusters
import pytest
from cluster import Cluster, after, elect
from conftest import Run, users_of, write_file
from test_load import counts, size_of_graph
from test_volume import pairs, write

import genai_graph
from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    Model,
    Node,
    ask,
    atomic,
    clear,
    connect,
    load,
    on_commit,
    query,
    retry,
)
from genai_graph.errors import (
    DatabaseError,
    ReadOnlyError,
    SettingsError,
    StatementTimeoutError,
    TransientError,
    UnavailableError,
    UncertainCommitError,
    UnsupportedError,
)
from genai_graph.questions import QuestionRun, get_question

pytestmark = pytest.mark.neo4j

PAIRS = 60
BATCH = 10
SEED = int(os.environ.get("GENAI_GRAPH_TEST_SEED", time.time_ns() % 1_000_000))
KILLS = int(os.environ.get("GENAI_GRAPH_TEST_KILLS", "4"))


@pytest.fixture
def cluster(graph: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Three members in front of the managed Neo4j, named by the environment."""
    if graph.engine != "neo4j" or "NEO4J_URI" in os.environ:
        pytest.skip("runs on the managed Neo4j")
    Dataset(name="first write").save()  # installs the schema
    clear()
    users = users_of(graph)
    with clusters.running(graph.uri) as found:
        monkeypatch.setenv("NEO4J_URI", found.uri)
        monkeypatch.setenv("NEO4J_USERNAME", users.username)
        monkeypatch.setenv("NEO4J_PASSWORD", users.password)
        monkeypatch.setenv("NEO4J_DATABASE", "neo4j")
        yield found


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Connection]:
    with connect() as connection:
        yield connection


def assert_whole(size: int = PAIRS) -> None:
    """Assert that the graph has the nodes and edges of `pairs`, each once."""
    (found,) = query(
        "MATCH (n) RETURN count(n) AS nodes, count(DISTINCT [labels(n), n.uid]) AS uids"
    )
    assert found == {"nodes": 2 * size, "uids": 2 * size}
    assert query("MATCH ()-[r]->() RETURN count(r) AS edges") == [{"edges": size}]


def in_batches() -> genai_graph.Report:
    return load(write(pairs(PAIRS)), batch_size=BATCH, atomic=False)


def at_once() -> genai_graph.Report:
    return load(write(pairs(PAIRS)), atomic=True)


def step_down(cluster: Cluster) -> None:
    """Let the leader step down; a new one is elected after a while."""
    cluster.leader = None
    after(1, lambda: elect(cluster, 1))


def kill_leader(cluster: Cluster) -> None:
    """Kill the leader; a new one is elected after a while."""
    cluster.kill(0)
    after(1, lambda: elect(cluster, 1))


def restart(cluster: Cluster) -> None:
    """Kill all members; they come back after a while."""
    cluster.kill(0, 1, 2)

    def revive() -> None:
        for member in range(3):
            cluster.revive(member)
        elect(cluster, 2)

    after(2, revive)


def cut_commits(cluster: Cluster) -> None:
    """Cut the connections of the next commits, which the server completes."""
    cluster.cuts = 2


@pytest.mark.parametrize("failure", [step_down, kill_leader, restart, cut_commits])
@pytest.mark.parametrize("run", [in_batches, at_once])
def test_load_survives_a_failure_with_true_counts(
    client: Connection,
    cluster: Cluster,
    run: Callable[[], genai_graph.Report],
    failure: Callable[[Cluster], None],
) -> None:
    before, transactions = cluster.begun["w", 0], 3 if run is in_batches else 1

    def fail_in_the_middle() -> None:
        deadline = time.monotonic() + 20
        while cluster.begun["w", 0] < before + transactions and time.monotonic() < deadline:
            time.sleep(0.001)
        failure(cluster)

    timer = after(0, fail_in_the_middle)
    report = run()
    timer.join()
    assert counts(report) == {
        "Dataset": (PAIRS, 0, 0),
        "Model": (PAIRS, 0, 0),
        "Model-TRAINED_ON->Dataset": (PAIRS, 0, 0),
    }
    cluster.cuts = 0
    assert_whole()


def test_lost_commits_are_resolved_by_reading(client: Connection, cluster: Cluster) -> None:
    def lose(action: Callable[[], object]) -> object:
        cluster.cuts = 1
        result = action()
        assert cluster.cuts == 0, "no commit was lost"
        return result

    dataset = Dataset(name="iris", size=3)
    lose(dataset.save)
    with pytest.raises(genai_graph.errors.NodeExistsError):
        Dataset(name="iris").save()
    dataset.size = 4
    lose(dataset.save)
    model = Model(name="m").save()
    lose(lambda: model.trained_on.connect(dataset))
    lose(lambda: Dataset.upsert(name="iris", num_rows=5))
    run = Experiment(name="run").save()
    lose(lambda: run.record("loss", 0.5, step=1, dataset=dataset))
    assert lose(lambda: model.rename("renamed")) is model
    assert model.uid == "renamed"
    assert lose(Model.nodes.filter(name="renamed").delete) == (1, {"Model": 1})
    assert lose(lambda: dataset.delete(force=True)) is True
    load(write(pairs(5)))
    deleted = lose(clear)
    assert deleted == {"Experiment": 1, "Metric": 1, "Model": 5, "Dataset": 5}
    assert size_of_graph() == 0


def test_lost_commits_of_several_statements_are_resolved(
    client: Connection, cluster: Cluster
) -> None:
    def lose(action: Callable[[], Any]) -> Any:
        cluster.cuts = 1
        result = action()
        assert cluster.cuts == 0, "no commit was lost"
        return result

    first, second = (Dataset(name=name).save() for name in ("first", "second"))
    model, run = Model(name="m").save(), Experiment(uid="run").save()
    lose(lambda: model.trained_on.replace(first, {"role": "training"}))
    lose(lambda: model.trained_on.reconnect(first, second))
    assert model.trained_on.relationship(second).role == "training"
    score = run.record("loss", 0.5, step=1, dataset=first)
    lose(lambda: score.dataset.replace(second))
    assert score.uid == "run/loss/second"
    lose(lambda: score.dataset.reconnect(second, first))
    assert score.uid == "run/loss/first"
    score.unit = "nats"
    score.save()
    assert [node.unit for node in run.metrics.all()] == ["nats"]

    created = lose(lambda: model.trained_on.create(name="third", size=3))
    found, is_new = lose(
        lambda: model.trained_on.update_or_create(
            defaults={"size": 4}, create_defaults={"size": 5}, name="fourth"
        )
    )
    assert (found.was_saved, found.size, is_new) == (True, 5, True)
    found, is_new = lose(
        lambda: model.trained_on.update_or_create(defaults={"size": 6}, name="fourth")
    )
    assert (found.size, is_new) == (6, False)
    found.size = 7
    found.save()
    created.size = 8
    created.save()
    sizes = {node.uid: node.size for node in model.trained_on.all()}
    assert sizes == {"second": None, "third": 8, "fourth": 7}

    rows = [{"name": "third"}, {"name": "fifth"}]
    third, fifth = lose(lambda: Dataset.nodes.bulk_get_or_create(*rows))
    assert (third.size, fifth.was_saved) == (8, True)
    nodes = [third, Model(name="other"), Experiment(name="other")]
    third.size = 9
    lose(lambda: Node.bulk_save(nodes))
    assert all(node.was_saved for node in nodes)
    assert Dataset.nodes.get(uid="third").size == 9
    lose(lambda: model.trained_on.disconnect(second))
    lose(model.trained_on.disconnect_all)
    assert size_of_graph() == 10


def test_statements_and_blocks_of_the_user_are_not_repeated_after_a_lost_commit(
    client: Connection, cluster: Cluster
) -> None:
    create = "CREATE (:Thing)"
    cluster.cuts = 1
    with pytest.raises(UncertainCommitError, match="may have been made"):
        query(create, write=True)
    cluster.cuts = 1
    with pytest.raises(UncertainCommitError, match=r"not repeated.*retry\(\)"), atomic():
        query(create, write=True)

    @atomic
    def create_two() -> None:
        query(create, write=True)
        query(create, write=True)

    cluster.cuts = 1
    with pytest.raises(UncertainCommitError):
        retry(create_two)
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 4}]
    kill_leader(cluster)
    retry(create_two)
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 6}]
    cluster.cuts = 1
    retry(lambda: query("MERGE (:Thing {uid: 1})", write=True), idempotent=True)
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 7}]


def test_killed_followers_and_seeds_cause_no_errors(
    client: Connection, cluster: Cluster, cli: Run
) -> None:
    load(write(pairs(5)))
    for member in (1, 2):
        assert len(Dataset.nodes.all()) == 5
        cluster.kill(member)
        assert len(Dataset.nodes.all()) == 5
        assert cli("ask", "orphans").exit_code == 0
        cluster.revive(member)
    cluster.kill(0, 1)  # the first addresses of a new connection
    elect(cluster, 2)
    done = cli("query", "MATCH (n:Dataset) RETURN count(n) AS count", "--format", "json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == [{"count": 5}]


def test_answers_are_complete_if_followers_die_while_rows_are_read(
    client: Connection, cluster: Cluster
) -> None:
    load(write(pairs(40)))
    query("MATCH (d:Dataset) SET d.license = 'MIT'", write=True)
    whole = ask("license-impact", licenses=["MIT"])
    assert len(whole) == 40
    rows: list[dict[str, Any]] = []
    for row in QuestionRun(get_question("license-impact"), 0, {"licenses": ["MIT"]}):
        rows.append(row)
        if len(rows) in (10, 20):
            cluster.kill(len(rows) // 10)
    assert rows == whole


def test_silent_seeds_are_tried_at_the_same_time(cluster: Cluster) -> None:
    """Two silent members accept connections; each is tried before one of them has timed out."""
    cluster.hung = {0, 1}
    elect(cluster, 2)
    table = cluster.routing_table
    cluster.routing_table = lambda name: {  # type: ignore[method-assign]
        **table(name),
        "servers": [
            {"addresses": [cluster.address(2)], "role": role} for role in ("WRITE", "READ", "ROUTE")
        ],
    }
    with connect():
        assert query("RETURN 1 AS one") == [{"one": 1}]
    deadline = time.monotonic() + 10  # they are tried even if another one has answered
    while cluster.most_waiting < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert cluster.most_waiting == 2


def use_in_a_transaction(cluster: Cluster) -> None:
    with atomic():
        cluster.hung.update(range(3))
        query("RETURN 1 AS one")


def use_until_it_fails() -> None:
    while True:
        query("UNWIND range(1, 1000) AS x RETURN count(x) AS count")


def test_hung_member_ends_in_an_error_in_time(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAI_GRAPH_STATEMENT_TIMEOUT", "0.5")
    monkeypatch.setenv("GENAI_GRAPH_RETRY_TIMEOUT", "1")
    with connect():
        query("RETURN 1 AS one")
        timer = after(0.2, lambda: cluster.hung.update(range(3)))
        with pytest.raises(DatabaseError) as raised:
            use_until_it_fails()
        assert isinstance(raised.value, (StatementTimeoutError, UnavailableError))
        timer.join()
        cluster.hung.clear()


def test_statements_in_transactions_have_a_time_limit(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that works on a statement sends empty messages meanwhile."""
    monkeypatch.setenv("GENAI_GRAPH_STATEMENT_TIMEOUT", "0.5")
    monkeypatch.setenv("GENAI_GRAPH_RETRY_TIMEOUT", "0")
    cluster.keeps_alive = True
    with connect():
        query("RETURN 1 AS one")
        with pytest.raises(StatementTimeoutError):
            use_in_a_transaction(cluster)
        cluster.hung.clear()


def test_silence_before_a_transaction_ends_in_an_error(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAI_GRAPH_STATEMENT_TIMEOUT", "0.5")
    monkeypatch.setenv("GENAI_GRAPH_RETRY_TIMEOUT", "0")
    with connect():
        cluster.hung.update(range(3))
        with pytest.raises(DatabaseError):
            query("RETURN 1 AS one")
        cluster.hung.clear()


def test_statement_has_a_time_limit(
    neo4j_graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The embedded engine would go on with it, during the next tests.
    monkeypatch.setenv("GENAI_GRAPH_STATEMENT_TIMEOUT", "0.3")
    endless = "UNWIND range(1, 100000) AS x UNWIND range(1, 100000) AS y RETURN sum(x * y) AS s"
    with connect(), pytest.raises(StatementTimeoutError, match="GENAI_GRAPH_STATEMENT_TIMEOUT"):
        query(endless)


def test_reads_use_followers_with_bookmarks_or_the_leader(
    client: Connection, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    Dataset(name="iris").save()
    cluster.begun.clear()
    cluster.with_bookmarks = 0
    for _ in range(4):
        assert len(Dataset.nodes.all()) == 1
    assert sum(cluster.begun.values()) == cluster.with_bookmarks == 4
    assert {key[0] for key in cluster.begun} == {"r"}
    assert cluster.leader not in {key[1] for key in cluster.begun}
    monkeypatch.setenv("NEO4J_READS", "leader")
    with connect():
        cluster.begun.clear()
        assert len(Dataset.nodes.all()) == 1
        assert {key[1] for key in cluster.begun} == {cluster.leader}
        with pytest.raises(ReadOnlyError):
            query("CREATE (:Thing)")
    with connect(read_only=True), pytest.raises(ReadOnlyError):
        Dataset(name="other").save()


def test_status_names_the_members(client: Connection, cluster: Cluster, cli: Run) -> None:
    lines = cli("status").stdout.splitlines()
    members = [line for line in lines if line.startswith("member")]
    assert members == [
        f"member    {cluster.address(0)}: primary, leader, online",
        *sorted(f"member    {cluster.address(member)}: primary, online" for member in (1, 2)),
    ]


def test_counts_are_true_after_lost_commits(client: Connection, cluster: Cluster) -> None:
    def lose(how: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        cluster.drops, cluster.cuts = int(how == "drop"), int(how != "drop")
        cluster.delay = 0.4 * (how == "late")
        result = function(*arguments, **options)
        assert cluster.cuts == cluster.drops == 0, "no commit was lost"
        return result

    for how in ("cut", "drop", "late"):
        load(write(pairs(7)))
        models = Model.nodes.filter(name__ne="other")
        assert len(list(models)) == 7
        chosen = Model.nodes.filter(architecture=None)
        assert lose(how, chosen.update, architecture="b") == 7
        datasets = list(Dataset.nodes.all())
        model = Model(name="other").save()
        made = lose(how, model.trained_on.connect_all, datasets)
        assert (made.created, made.changed, made.unchanged) == (7, 0, 0)
        prefetched = Model.nodes.prefetch_related("trained_on").get(uid=model.uid)
        assert len(prefetched.trained_on.all()) == 7
        deleted = lose(how, prefetched.trained_on.delete, force=True)
        assert deleted == (7, {"Dataset": 7})
        assert lose(how, models.delete) == (7, {"Model": 7})
        load(write(pairs(30)))
        assert lose(how, clear, batch_size=10) == {"Dataset": 30, "Model": 31}


def test_what_was_committed_is_not_repeated(client: Connection, cluster: Cluster) -> None:
    calls = []

    def notify() -> None:
        calls.append(1)
        raise UnavailableError("no notification")

    @atomic
    def create() -> None:
        query("CREATE (:Thing)", write=True)
        on_commit(notify)

    with pytest.raises(UnavailableError, match=r"^no notification$"):
        retry(create)
    with pytest.raises(UnavailableError, match=r"^no notification$"):
        create()
    assert len(calls) == 2
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 2}]
    in_batches = (
        "UNWIND range(1, 1000000) AS i CALL (i) { CREATE (:Thing) } IN TRANSACTIONS OF 100 ROWS"
    )
    after(1, lambda: kill_leader(cluster))
    with pytest.raises(UncertainCommitError, match="some batches may have been committed"):
        retry(lambda: query(in_batches, write=True))


def test_schema_and_keys_survive_lost_commits(
    client: Connection, cluster: Cluster, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in query("SHOW CONSTRAINTS"):
        query(f"DROP CONSTRAINT {index['name']}", write=True)
    cluster.drops = 1
    assert cli("schema", "install").exit_code == 0
    assert not cluster.drops
    for options in ((), ("--drop",)):
        cluster.cuts = 1
        done = cli("schema", "index", "Model.hyperparameters.lr", *options)
        assert done.exit_code == 0, done.stderr
        assert not cluster.cuts
    old, new = (cli("access", "keys", "generate").stdout.strip() for _ in range(2))
    monkeypatch.setenv("GENAI_GRAPH_KEYS", old)
    with connect():
        Dataset(name="iris", creator="Ann").save()
        Dataset(name="wine", creator="Bob").save()
    monkeypatch.setenv("GENAI_GRAPH_KEYS", f"{new},{old}")
    monkeypatch.setenv("GENAI_GRAPH_ENCRYPTED", "Dataset.creator")
    cluster.cuts = 1
    done = cli("access", "keys", "rotate")
    assert done.exit_code == 0, done.stderr
    assert not cluster.cuts


def test_coroutines_are_not_retried(client: Connection) -> None:
    async def work() -> None: ...

    with pytest.raises(UnsupportedError, match=r"asyncio\.to_thread\(retry, function\)"):
        retry(work)


def test_nested_retries_have_one_deadline(
    client: Connection, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAI_GRAPH_RETRY_TIMEOUT", "0.5")
    cluster.leader = None
    with connect(), pytest.raises(DatabaseError) as raised:
        retry(lambda: query("CREATE (:Thing)", write=True))
    assert str(raised.value).count("tried again for 0.5 s") == 1


def test_later_connections_and_forks_read_what_was_written(
    client: Connection, cluster: Cluster
) -> None:
    Dataset(name="iris").save()
    client.close()
    cluster.with_bookmarks = 0
    with connect():
        assert Dataset.nodes.count() == 1
        assert cluster.with_bookmarks == 1
        child = os.fork()
        if not child:
            os._exit(0 if Dataset.nodes.count() == 1 else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert cluster.with_bookmarks == 2


@pytest.mark.parametrize("reads", ["followers", "leader"])
def test_hung_followers_are_survived(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    monkeypatch.setenv("NEO4J_READS", reads)
    monkeypatch.setenv("GENAI_GRAPH_STATEMENT_TIMEOUT", "1")
    cluster.hung = {1, 2}
    with connect():
        assert Dataset.upsert(name="iris", size=3).size == 3
        assert Dataset.nodes.count() == 1
    cluster.hung = set()
    with connect():
        assert Dataset.nodes.count() == 1
        cluster.hung = {1, 2}
        assert Dataset.nodes.count() == 1
        with pytest.raises(ReadOnlyError):
            query("CREATE (:Thing)")


def test_authorization_that_expired_is_renewed(client: Connection, cluster: Cluster) -> None:
    cluster.refusal = clusters.failure(
        "Neo.ClientError.Security.AuthorizationExpired", "expired", "42NFF", "expired"
    )
    cluster.refusals = 1
    assert query("RETURN 1 AS one") == [{"one": 1}]
    assert not cluster.refusals


def test_connect_waits_for_a_database_that_starts(cluster: Cluster) -> None:
    for refusals in (1, 3):  # of the routing table from a member, and of all members
        cluster.refusals = refusals
        with connect():
            assert not cluster.refusals


def test_connect_waits_for_a_database_that_starts_on_a_single_server(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_URI", f"bolt://{cluster.address(0)}")
    cluster.refusals = 2
    with connect():
        assert not cluster.refusals
    cluster.refusals = 1_000
    monkeypatch.setenv("GENAI_GRAPH_RETRY_TIMEOUT", "0.3")
    with pytest.raises(TransientError, match=r"not currently available.*GENAI_GRAPH_RETRY_TIMEOUT"):
        connect()


def test_connect_survives_the_death_of_members_in_the_routing_table(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    routing_table = cluster.routing_table

    def table_before_deaths(database: str | None) -> dict[str, Any]:
        table = routing_table(database)
        threading.Thread(target=cluster.kill, args=(1, 2)).start()
        monkeypatch.setattr(cluster, "routing_table", routing_table)
        return table

    monkeypatch.setattr(cluster, "routing_table", table_before_deaths)
    with connect():
        assert cluster.up == {0}
        assert query("RETURN 1 AS one") == [{"one": 1}]


def test_unreachable_members_of_the_routing_table_are_reported(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "address", lambda member: "127.0.0.1:1")
    with pytest.raises(UnavailableError, match="the members of a cluster advertise"):
        connect()


@pytest.mark.parametrize("uri", ["bolt://a:1,b:2", "neo4j://a:1,", "neo4j://a:1,b:x"])
def test_invalid_lists_of_addresses_are_rejected(uri: str) -> None:
    with pytest.raises(SettingsError, match="NEO4J_URI"):
        connect(uri)


def test_plaintext_to_any_other_machine_is_rejected() -> None:
    with pytest.raises(SettingsError, match=r"db\.example\.com in plaintext"):
        connect("neo4j://localhost:1,db.example.com:2")


CLIENT = textwrap.dedent("""
    import random, sys
    from genai_graph import Dataset, Model, connect, load, query

    number, order = sys.argv[1], random.Random(int(sys.argv[2]))
    with connect():
        report = load(f"{number}.jsonl", batch_size=20, atomic=False)
        assert all(counts.created == counts.total for counts in report.nodes.values()), report
        for step in range(15):
            node = Dataset.upsert(name=f"shared-{order.randrange(5)}", size=3)
            own = Model(name=f"own-{number}-{step}").save()
            own.trained_on.connect(node)
            assert Model.nodes.filter(uid__startswith=f"own-{number}-").count() == step + 1
    print("done")
""")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_clients_survive_random_kills(
    client: Connection, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`GENAI_GRAPH_TEST_KILLS` is the number of kills: 20 for a long run."""
    monkeypatch.setenv("GENAI_GRAPH_RETRY_TIMEOUT", "60")
    order = random.Random(SEED)
    clients = 6
    for number in range(clients):
        rows = [
            {"node": "Dataset", "uid": f"d-{number}-{i}", "props": {"name": "d", "size": i}}
            for i in range(60 * KILLS)
        ]
        write_file(
            f"{number}.jsonl",
            "\n".join(map(json.dumps, [{"format": "genai_graph/1"}, *rows])),
        )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(number), str(SEED + number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(clients)
    ]
    for _ in range(KILLS):
        time.sleep(order.uniform(0.3, 1.5))
        victim = order.randrange(3)
        cluster.kill(victim)
        if cluster.leader is None:
            time.sleep(order.uniform(0, 1))
            elect(cluster, order.choice(sorted(cluster.up)))
        cluster.cuts = order.randrange(2)
        time.sleep(order.uniform(0, 1))
        cluster.revive(victim)
    outputs = [process.communicate(timeout=400)[0] for process in processes]
    assert outputs == ["done\n"] * clients, SEED
    cluster.cuts = 0
    expected = {"Dataset": clients * 60 * KILLS + 5, "Model": clients * 15}
    for label, size in expected.items():
        (found,) = query(
            f"MATCH (n:{label}) RETURN count(n) AS nodes, count(DISTINCT n.uid) AS uids"
        )
        assert found["nodes"] == found["uids"], SEED
        # Not all shared ones are chosen.
        assert size - 5 * (label == "Dataset") <= found["nodes"] <= size, SEED
    edges = query("MATCH (:Model)-[r]->(:Dataset) RETURN count(r) AS count")
    assert edges == [{"count": clients * 15}], SEED

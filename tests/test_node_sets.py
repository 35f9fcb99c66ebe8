"""Node sets: text of users in statements, immutability, three-valued logic, encrypted values.

tests/test_habits.py shows what the methods do.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neomodel.exceptions import NeomodelException
from traps import TRAPS

from genai_graph import Avg, Count, Dataset, Experiment, Max, Model, Project, Q, connect, query
from genai_graph.database import Connection
from genai_graph.database.driver import GraphTransaction
from genai_graph.database.keyring import generate_key
from genai_graph.errors import (
    GenaiGraphError,
    NodeExistsError,
    NodeSetError,
    PropertyError,
    UnsupportedError,
)
from genai_graph.registry import INCOMING, NODES, OUTGOING, properties_of
from genai_graph.shell.completion import complete
from genai_graph.storage.suggestions import describe_missing_value, node_not_found


@pytest.fixture
def models(graph: Connection) -> list[Model]:
    """Three models of two projects."""
    models = Model.nodes.bulk_create([Model(name=name, size=n) for n, name in enumerate("abc")])
    Project.nodes.create(name="p").models.connect_all(models[:2])
    Project.nodes.create(name="q").models.connect_all(models[1:])
    return models


# Text of users in statements

INJECTIONS = [
    "0 LIMIT 1 UNION MATCH (n:Model) DETACH DELETE n RETURN n //",
    "1 RETURN n; MATCH (n) DETACH DELETE n",
    "name` = 1 DETACH DELETE n //",
    "name}) DETACH DELETE n //",
    "$p0",
    "{x}",
    "{0}",
    "a.b[c]",
    "'",
    '"',
    "\\",
    "`",
    "\\u0060",
    *TRAPS,
]
TEXTS = st.one_of(st.sampled_from(INJECTIONS), st.text(max_size=30))
NAMES = st.sampled_from(
    ["name", "uid", "size", "task", "created_at", "tags", "projects__name", "trained_on|role"]
)
LOOKUPS = st.sampled_from(
    ["", "__in", "__contains", "__icontains", "__startswith", "__gt", "__regex", "__range", "__ne"]
)
KEYS = st.one_of(
    TEXTS,
    st.builds("{}{}".format, NAMES, LOOKUPS),
    st.builds("{}__{}".format, NAMES, TEXTS),
    st.builds("{}|{}".format, NAMES, TEXTS),
)
VALUES = st.one_of(
    TEXTS, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(TEXTS, max_size=3)
)
KEYWORDS = st.dictionaries(KEYS, VALUES, max_size=2)

ENTRIES: dict[str, Callable[[Any, Any], Any]] = {
    "filter": lambda key, value: Model.nodes.filter(**{key: value}).all(),
    "exclude": lambda key, value: Model.nodes.exclude(**{key: value}).count(),
    "q": lambda key, value: Model.nodes.filter(~Q(**{key: value}) | Q(size=1)).exists(),
    "get": lambda key, value: Model.nodes.get_or_none(**{key: value}),
    "first": lambda key, value: Model.nodes.first(**{key: value}),
    "positional": lambda key, value: Model.nodes.filter(value),
    "order_by": lambda key, value: Model.nodes.order_by(key, value).all(),
    "values": lambda key, value: Model.nodes.values(key).all(),
    "values_list": lambda key, value: Model.nodes.values_list(key, flat=True).distinct().all(),
    "only": lambda key, value: Model.nodes.only(key).all(),
    "index": lambda key, value: Model.nodes[value],
    "slice": lambda key, value: Model.nodes[key:value].all(),
    "iterator": lambda key, value: list(Model.nodes.iterator(value)),
    "annotate": lambda key, value: list(Model.nodes.annotate(**{key: Count("projects")})),
    "aggregate": lambda key, value: Model.nodes.aggregate(**{key: Max(value)}),
    "group": lambda key, value: Model.nodes.values(key).annotate(**{key: Count(key)}).all(),
    "traverse": lambda key, value: Model.nodes.traverse(key).all(),
    "prefetch": lambda key, value: list(Model.nodes.prefetch_related(key)),
    "in_bulk": lambda key, value: Model.nodes.in_bulk([key, value]),
    "match": lambda key, value: Model.nodes.all()[0].trained_on.match(**{key: value}).all(),
    "related": lambda key, value: Model.nodes.all()[0].projects.filter(**{key: value}).all(),
    "latest": lambda key, value: Model.nodes.latest(key),
    "suggestion": lambda key, value: node_not_found("Model", str(value)),
    "values of": lambda key, value: describe_missing_value("Model", "name", [str(value)]),
    "completion": lambda key, value: complete(f"Model.nodes.get(uid='{value}"),
}


def constant_texts() -> set[str]:
    """Return every name that a statement may contain."""
    names = {*NODES}
    for cls in NODES.values():
        names |= {*properties_of(cls)}
    for relationships in (*OUTGOING.values(), *INCOMING.values()):
        for relationship in relationships.values():
            names |= {relationship.edge_type.type, *properties_of(relationship.definition["model"])}
    return names


CONSTANTS = constant_texts()


@pytest.mark.any_engine
@pytest.mark.parametrize("entry", ENTRIES)
def test_text_of_users_never_becomes_part_of_a_statement(
    models: list[Model], monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    sent: list[str] = []
    run = GraphTransaction.run

    def record(self: Any, text: str, *arguments: Any, **options: Any) -> Any:
        sent.append(text)
        return run(self, text, *arguments, **options)

    monkeypatch.setattr(GraphTransaction, "run", record)

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(key=KEYS, value=VALUES)
    def check_statements(key: Any, value: Any) -> None:
        sent.clear()
        with contextlib.suppress(GenaiGraphError, IndexError, NeomodelException):
            ENTRIES[entry](key, value)
        for statement in sent:
            # A quoted name is one that a class declares, and nothing else is quoted.
            quoted = statement.split("`")[1::2]
            assert set(quoted) <= CONSTANTS, statement
            assert not {"'", '"', ";", "\\", "//"} & set(statement), statement
            for text in (key, value):
                is_long = isinstance(text, str) and len(text) > 4 and text not in CONSTANTS
                assert not is_long or text not in statement or text in ("__gt", "count"), statement

    check_statements()
    assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 5}]


@pytest.mark.parametrize(
    "key",
    ["0", 1.0, None, "0 LIMIT 1 UNION MATCH (n) DETACH DELETE n RETURN n //", [1], (0, 1), b"1"],
)
def test_only_integers_are_indexes(models: list[Model], key: Any) -> None:
    relationship = models[0].projects
    for nodes in (Model.nodes, Model.nodes.order_by("size"), relationship):
        with pytest.raises(TypeError, match="expected an integer"):
            nodes[key]
        if key is not None:
            for bounds in (slice(key), slice(key, None), slice(None, None, key)):
                with pytest.raises(TypeError, match="expected an integer"):
                    nodes[bounds]
    assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 5}]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (slice(0, 0), ""),
        (slice(2, 2), ""),
        (slice(2, 1), ""),
        (slice(None, 2), "ab"),
        (slice(1, None), "bc"),
        (slice(None, None, 2), "ac"),
        (slice(1, 10, 5), "b"),
        (slice(0, 2**31 + 1), "abc"),
        (slice(2**32 + 1, None), ""),
        (slice(0, sys.maxsize * 4), "abc"),
        (slice(False, True), "a"),
    ],
)
def test_slices_are_those_of_a_list(models: list[Model], bounds: slice, expected: str) -> None:
    ordered = Model.nodes.order_by("name")
    assert "abc"[bounds] == expected
    for nodes in (ordered, ordered.values_list("name", flat=True)):
        sliced = nodes[bounds]
        assert "".join(getattr(one, "name", one) for one in sliced) == expected
        assert (sliced.count(), sliced.exists()) == (len(expected), bool(expected))
        assert len(list(sliced.iterator(1))) == len(expected)
    assert len(list(ordered.iterator(2**63))) == 3
    list(ordered)
    assert "".join(model.name for model in ordered[bounds]) == expected


def test_a_slice_of_zero_step_and_of_a_step_are_errors(models: list[Model]) -> None:
    with pytest.raises(ValueError, match="0"):
        Model.nodes[::0]
    with pytest.raises(ValueError, match="step"):
        Model.nodes[::2][1:]
    assert Model.nodes.order_by("name")[::2][1] == models[2]


def test_first_and_last_of_values(models: list[Model]) -> None:
    names = Model.nodes.values_list("name", flat=True)
    assert (names.first(), names.last(), names.reverse().all()) == ("a", "c", ["c", "b", "a"])
    related = Model.nodes.values_list("name", "projects__name")
    assert (related.first(), related.last()) == (("a", "p"), ("c", "q"))
    assert sorted(names.distinct()) == ["a", "b", "c"]
    assert Model.nodes.values("size").distinct().order_by("-size").first() == {"size": 2}


# Immutability


def test_threads_share_a_set(models: list[Model]) -> None:
    base = Model.nodes.filter(size__gte=0)

    def use(number: int) -> tuple[Any, ...]:
        name = "abc"[number % 3]
        narrowed = base.filter(name=name).order_by("-size")
        return [one.name for one in narrowed], narrowed.count(), base.get(name=name).name, len(base)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(use, range(24)))
    assert results == [(["abc"[n % 3]], 1, "abc"[n % 3], 3) for n in range(24)]


def test_methods_do_not_change_a_set(models: list[Model]) -> None:
    base = Model.nodes.filter(projects__name="p")
    before = dict(vars(base))
    base.exclude(name="a").order_by("size").reverse()[:1].first()
    base.annotate(n=Count("projects")).filter(n=2).values("uid", "n").distinct().all()
    base.union(Model.nodes).none().count()
    base.prefetch_related("projects").only("name").all()
    assert vars(base) == before
    q = Q(name="a")
    (q | Q(name="b"), ~q, q & Q(size=1), q ^ Q(size=1))
    assert q == Q(name="a")


# Conditions


def test_three_valued_logic_does_not_lose_nodes(models: list[Model]) -> None:
    """Each combination is compared with Python, where a missing value equals nothing."""
    Model.nodes.bulk_create({"name": "d", "task": "t", "size": 1}, {"name": "e", "task": "u"})
    everything = Model.nodes.all()
    size_one, task_t = Q(size=1), Q(task="t")
    cases: list[tuple[Q, Callable[[Any, Any], bool]]] = [
        (~size_one, lambda s, t: not s),
        (~~size_one, lambda s, t: s),
        (size_one & ~task_t, lambda s, t: s and not t),
        (~size_one & ~task_t, lambda s, t: not s and not t),
        (~(size_one & task_t), lambda s, t: not (s and t)),
        (~(size_one | task_t), lambda s, t: not (s or t)),
        (~(size_one | ~task_t), lambda s, t: not s and t),
        (size_one ^ task_t, lambda s, t: s != t),
        (~(size_one ^ task_t), lambda s, t: s == t),
        (size_one ^ task_t ^ Q(name="a"), None),  # type: ignore[list-item]
        (Q() | size_one, lambda s, t: s),
        (Q(size__ne=1) | Q(task__ne="t"), lambda s, t: not s or not t),
    ]
    for condition, expected in cases:
        if expected is None:
            names = {
                m.name for m in everything
                if ((m.size == 1) + (m.task == "t") + (m.name == "a")) % 2
            }  # fmt: skip
        else:
            names = {m.name for m in everything if expected(m.size == 1, m.task == "t")}
        assert {m.name for m in Model.nodes.filter(condition)} == names, condition
        excluded = {m.name for m in Model.nodes.exclude(condition)}
        assert excluded == {m.name for m in everything} - names, condition


def test_empty_conditions_select_everything(models: list[Model]) -> None:
    for nodes in (
        Model.nodes.filter(),
        Model.nodes.exclude(),
        Model.nodes.filter(Q()),
        Model.nodes.filter(~Q()),
    ):
        assert nodes.count() == 3


def test_related_conditions_start_at_either_end(models: list[Model]) -> None:
    p = Project.nodes.get(name="p")
    for nodes in (
        Model.nodes.filter(projects__uid="p", uid="b"),
        Model.nodes.filter(projects__uid="p").filter(projects__uid="q"),
        Model.nodes.filter(projects=p, projects__name="p", size__gt=0),
        p.models.filter(projects__name="q"),
        p.models.filter(uid__in=["b", "c"]),
        p.models & Project.nodes.get(name="q").models,
        Model.nodes.filter(projects__in=Project.nodes.filter(models__name="a")).filter(size=1),
        Model.nodes.filter(projects__in=p.models.get(name="a").projects, size=1),
        Model.nodes.filter(projects__models__name="a", projects__models__uid="a").exclude(uid="a"),
    ):
        assert [model.uid for model in nodes] == ["b"]
        assert nodes.count() == 1
        assert nodes.get() == models[1]


def test_many_alternatives_about_one_related_node_are_refused(graph: Connection) -> None:
    pairs = [Q(metrics__name=f"a{n}") | Q(status="FAILED") for n in range(11)]
    with pytest.raises(NodeSetError, match="combinations"):
        Experiment.nodes.filter(*pairs).all()
    assert Experiment.nodes.filter(pairs[0], pairs[1]).all() == []


# Encrypted properties


def test_encrypted_properties_can_be_read_and_not_searched(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_connect = Dataset.nodes.filter(location="s3://bucket")
    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with connect():
        Dataset.nodes.create(name="d", location="s3://bucket", metadata={"a": 1})
        ordered = Dataset.nodes.values("location", "metadata")
        assert ordered.all() == [{"location": "s3://bucket", "metadata": {"a": 1}}]
        assert Dataset.nodes.only("location")[0].location == "s3://bucket"
        assert Dataset.nodes.filter(location__isnull=False).count() == 1
        assert Dataset.nodes.aggregate(Count("location")) == {"location__count": 1}
        Dataset.nodes.update(location="s3://other")
        assert Dataset.nodes.values_list("location", flat=True).all() == ["s3://other"]
        for search in (
            lambda: Dataset.nodes.filter(location="s3://bucket"),
            lambda: Dataset.nodes.exclude(metadata={"a": 1}),
            lambda: Dataset.nodes.order_by("location"),
            lambda: Dataset.nodes.aggregate(Max("location")),
            lambda: Dataset.nodes.values("location").distinct().all(),
            lambda: Project.nodes.filter(datasets__location__contains="s3"),
            before_connect.all,
        ):
            with pytest.raises(UnsupportedError, match="encrypted"):
                search()


# Wrong arguments


def test_missing_related_nodes_have_no_values(graph: Connection) -> None:
    """Several conditions on a related node also hold without one, as in a left join."""
    for name in ("a", "b", "none"):
        Model(name=name).save()
    mine = Project(name="mine").save()
    yours = Project(name="yours", owner="you", license="MIT").save()
    mine.models.connect(Model.nodes.get(uid="a"))
    yours.models.connect(Model.nodes.get(uid="b"))
    mine.datasets.connect(Dataset(name="d").save())

    def names(found: Any) -> list[str]:
        return [model.name for model in found.order_by("name")]

    assert not Q()
    unowned = Q(projects__owner=None) & Q(projects__license=None)
    assert names(Model.nodes.filter(unowned)) == ["a", "none"]
    assert names(Model.nodes.filter(Q(projects__owner="you") | Q(projects__owner=None))) == [
        *("a", "b", "none")
    ]
    with_data = Count("projects", filter=Q(projects__datasets__isnull=False))
    counted = Model.nodes.annotate(n=with_data).order_by("name")
    assert [model.n for model in counted] == [1, 0, 0]


COUNTED = Model.nodes.annotate(n=Count("projects"))


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: Model.nodes.match(role="test"), "match: is for the edges of one node"),
        (lambda: Model.nodes.order_by(3), "order_by: expected the name of a property, got 3"),
        (lambda: Model.nodes.union(Dataset.nodes), "union: expected a set of Model, got"),
        (lambda: Model.nodes & 3, "intersection: expected a set of Model, got 3"),
        (lambda: Model.nodes.only("projects__name"), "projects__name: expected a property of Mo"),
        (lambda: Model.nodes.annotate(n=Count("uid")), "n: expected an aggregate of related nod"),
        (lambda: Model.nodes.earliest(), "earliest: name a property"),
        (lambda: Model.nodes.latest(None), "latest: name a property"),
        (lambda: Model.nodes.values("uid").in_bulk(), "in_bulk: not possible after values()"),
        (lambda: Model.nodes.traverse("projects").delete(), "delete: not possible after values()"),
        (lambda: Model.nodes[::2].aggregate(Count("uid")), "not possible for a slice with a step"),
        (lambda: Model.nodes.prefetch_related("name"), "prefetch_related: 'name' is not a rela"),
        (lambda: Model.nodes.annotate(_n=Count("projects")), "_n: Model already has this name"),
        (
            lambda: list(Model.nodes.values("projects__name").annotate(n=Count("projects"))),
            "group by properties of the node itself",
        ),
        (
            lambda: list(Model.nodes.values("hyperparameters").distinct()),
            "hyperparameters",
        ),
        # lookups
        (lambda: Model.nodes.filter(projects__in__gt="x"), "'in__gt': no such lookup"),
        (lambda: Model.nodes.filter(hyperparameters__has_keys=["a", 3]), "has_keys: expected a s"),
        (lambda: Model.nodes.filter(name__exact__in="x"), "Model.name: 'exact__in': no such look"),
        (lambda: Model.nodes.filter(size__range=[1, 2, 3]), "range: expected two values, got 3"),
        (lambda: Model.nodes.filter(size__in=3), "Model.size: expected a list of values, got 3"),
        (lambda: Model.nodes.filter(name__isnull="x"), "Model.name: isnull: expected True or Fal"),
        (lambda: Model.nodes.filter(name__contains=3), "Model.name: expected a string, got 3"),
        (lambda: Model.nodes.filter(created_at__date__in=[]), "date: 'in': no such lookup: the l"),
        (lambda: Model.nodes.filter(created_at__date="2026"), "expected a date, such as date(2026"),
        (lambda: Model.nodes.filter(created_at__date=datetime(2026, 1, 1)), "expected a date, suc"),
        (
            lambda: Model.nodes.filter(created_at__date=datetime.now(timezone.utc), name=3),
            "Model.n",
        ),
        (lambda: Model.nodes.filter(hyperparameters=None, name=3), "Model.name: expected a string"),
        (lambda: Model.nodes.filter(created_at__gt=date(2026, 1, 1)), "use the lookup date, such"),
        (lambda: Model.nodes.filter(created_at__month="x"), "created_at: expected an integer, got"),
        (lambda: Model.nodes.filter(created_at__year=0), "expected a year from 1 to 9999, got 0"),
        (lambda: COUNTED.filter(n__regex="x"), "n: 'regex': no such lookup: the lookups are"),
        (lambda: COUNTED.filter(n__in=3), "n: expected a list of values, got 3"),
        (lambda: COUNTED.filter(n__isnull=3), "n: isnull: expected True or False, got 3"),
        (lambda: COUNTED.filter(n__gt=None), "n: gt: expected a value, got nothing: use isnull"),
        (
            lambda: Model.nodes.filter(hyperparameters__lr__isnull=3),
            "hyperparameters__lr: isnull: e",
        ),
        # values and aggregates
        (lambda: Model.nodes.aggregate(Avg("projects")), "is a relationship: add a property, such"),
        (lambda: Model.nodes.aggregate(Max("tags")), "expected a property with an order, not list"),
        (lambda: Model.nodes.aggregate("size"), "expected an aggregate, as Count(...), got 'size'"),
        (
            lambda: list(Model.nodes.values("name").distinct().order_by("size")),
            "order_by('size'): distinct values and groups can be ordered by the selected values",
        ),
        (
            lambda: list(Model.nodes.values("name").annotate(n=Count("uid", filter=Q(size=1)))),
            "values().annotate(): filter the set instead of an aggregate",
        ),
        # related nodes and edges
        (lambda: Q(name="x") & 3, "Q: expected another Q, got 3"),
        (lambda: Model.nodes.filter(**{"trained_on|rule": 1}), "did you mean 'role'?): they have"),
        (lambda: Model.nodes.filter(projects=["p"]), "got a list: use __in for several"),
        (lambda: Model.nodes.filter(projects__in=Dataset.nodes), "Project: expected a set of Proj"),
        (lambda: Model.nodes.filter(projects__in=3), "Project: expected a list, got 3"),
        (lambda: Model.nodes.filter(projects__isnull=3), "Project: isnull: expected True or False"),
        # writes
        (lambda: Model.nodes.bulk_create([3]), "bulk_create: expected a Model or a dict, got 3"),
        (lambda: Model.nodes.bulk_save(3), "bulk_save: expected a list of nodes, got 3"),
        (lambda: Model.nodes.bulk_update(3, ["size"]), "bulk_update: expected a list of nodes, go"),
        (lambda: Model.nodes.bulk_update([Dataset(name="d")], ["size"]), "expected a Model, got"),
        (lambda: Model.nodes.bulk_update([], "size"), "bulk_update: expected a list of names, got"),
        (lambda: Model.nodes.bulk_update([], None), "bulk_update: expected a list of names, got"),
    ],
)
def test_wrong_arguments_are_errors_at_the_call(call: Callable[[], object], problem: str) -> None:
    """They are found without a database."""
    with pytest.raises((NodeSetError, PropertyError)) as raised:
        call()
    assert problem in str(raised.value)


def test_values_without_a_match(models: list[Model]) -> None:
    counted = Model.nodes.annotate(last=Max("projects__owner"))
    Project.nodes.filter(uid="q").update(owner="ann")
    assert counted.filter(last=None).uids() == ["a"]
    assert sorted(counted.filter(last__ne=None).uids()) == ["b", "c"]
    assert counted.filter(last__in=["ann", "bob"]).count() == 2
    assert "a" not in Model.nodes
    assert Model not in Model.nodes
    assert {"uid": "a"} in Model.nodes.values("uid")
    assert {"uid": "x"} not in Model.nodes.values("uid")
    assert Model.nodes.none().aggregate(Count("uid"), Max("size")) == {
        "uid__count": 0,
        "size__max": None,
    }
    assert Model.nodes.union().count() == 3
    assert Model.nodes.filter(name__contains="").count() == 3
    assert Model.nodes.filter(created_at__year__gt=9999).count() == 0
    assert Model.nodes.order_by("projects").uids() == ["a", "b", "c"]
    assert Model.nodes[::2].preview(1) == [models[0]]
    with pytest.raises(NodeExistsError):
        Model.nodes.get_or_create(uid="a", name="another name")
    with pytest.raises(NodeExistsError, match="was saved already"):
        Model.nodes.bulk_create(models[0])

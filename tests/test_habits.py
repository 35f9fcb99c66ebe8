"""Habits of users of Django and neomodel, and what they do here.

The table in docs/python.md is derived from the docstrings: the first line names the habit, the rest
says what to write here and what is different. Each test shows the code.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
from collections.abc import Callable
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import neomodel
import pytest

from genai_graph import (
    Avg,
    Count,
    Dataset,
    Experiment,
    Max,
    Metric,
    Min,
    Model,
    Project,
    Q,
    Sum,
    aquery,
    atomic,
    clear,
    dump,
    load,
    on_commit,
    query,
    schema,
)
from genai_graph.database import Connection
from genai_graph.errors import (
    DeclarationError,
    EdgeError,
    NodeExistsError,
    NodeNotFoundError,
    NodeSetError,
    NotSavedError,
    PropertyError,
    ReadOnlyError,
    UnknownPropertyError,
    UnsupportedError,
)
from genai_graph.ogm.edge import Edge
from genai_graph.ogm.node_set import NodeSet
from genai_graph.properties import StringProperty
from genai_graph.registry import NODES

MARCH = datetime(2026, 3, 1, 9, tzinfo=timezone.utc)
Statements = Callable[[Callable[[], object]], int]


@pytest.fixture(autouse=True)
def team(graph: Connection) -> None:
    """Two projects with three models, their datasets, runs and metrics."""
    fraud, vision = Project.nodes.bulk_create(
        [Project(name="fraud", owner="ann")], {"name": "vision"}
    )
    raw, clean, _ = Dataset.nodes.bulk_create(
        {"name": "raw", "license": "MIT", "num_rows": 100, "tags": ["a", "b"]},
        {"name": "clean", "version": "1", "license": "NC", "num_rows": 80, "tags": ["b"]},
        {"name": "iris"},
    )
    xgb1, xgb2, net = Model.nodes.bulk_create(
        {"name": "xgb", "version": "1", "task": "tabular", "size": 10, "framework": "xgboost"},
        {"name": "xgb", "version": "2", "task": "tabular", "size": 30, "framework": "xgboost"},
        {"name": "Net", "description": "line one\nGDPR data"},
    )
    fraud.models.connect_all([xgb1, xgb2])
    vision.models.connect_all([xgb2, net])
    clean.parents.connect(raw)
    xgb1.trained_on.connect(raw, {"role": "training", "split": "train"})
    xgb2.trained_on.connect_all([(raw, {"role": "training"}), (clean, {"role": "test"})])
    for number, (status, accuracy, loss) in enumerate(
        [("FINISHED", 0.9, 0.3), ("FAILED", 0.7, 0.95)]
    ):
        run = Experiment(
            uid=f"run{number + 1}",
            status=status,
            started_at=MARCH.replace(day=number + 1),
            parameters={"lr": 0.1},
        ).save()
        run.models.connect(xgb1)
        run.record("accuracy", accuracy, dataset=raw)
        run.record("loss", loss)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Return a function that counts the statements which another one sends."""
    from genai_graph.database.driver import GraphTransaction

    sent: list[str] = []
    run = GraphTransaction.run

    def record(self: Any, text: str, *arguments: Any, **options: Any) -> Any:
        sent.append(text)
        return run(self, text, *arguments, **options)

    monkeypatch.setattr(GraphTransaction, "run", record)

    def count(work: Callable[[], object]) -> int:
        sent.clear()
        work()
        return len(sent)

    return count


def uids(nodes: Any) -> list[str]:
    """Return the uids of nodes, sorted."""
    return sorted(node.uid for node in nodes)


class TestCreating:
    """Creating and saving."""

    def test_create(self) -> None:
        """`objects.create(...)`.

        `nodes.create(...)`, or `Model(...).save()`.
        """
        assert Model.nodes.create(name="new") == Model.nodes.get(uid="new")
        with pytest.raises(NodeExistsError):
            Model.nodes.create(name="new")

    def test_get_or_create(self) -> None:
        """`get_or_create(defaults=..., ...)`.

        The same. neomodel's deprecated class method of this name works differently.
        """
        node, created = Model.nodes.get_or_create({"task": "text"}, name="bert")
        assert (node.task, created) == ("text", True)
        assert Model.nodes.get_or_create({"task": "other"}, name="bert") == (node, False)
        assert Model.nodes.get(name="bert").task == "text"
        positional: Any = "bert"
        for method in (Model.nodes.get_or_create, Model.nodes.update_or_create):
            with pytest.raises(TypeError, match="conditions are keyword arguments"):
                method(positional)

    def test_update_or_create(self) -> None:
        """`update_or_create(defaults=..., create_defaults=..., ...)`.

        The same. By uid, `upsert()` needs fewer statements.
        """
        node, created = Model.nodes.update_or_create({"task": "text"}, name="Net")
        assert (node.uid, node.task, created) == ("Net", "text", False)
        node, created = Model.nodes.update_or_create(
            {"task": "x"}, {"task": "y"}, name="new", version="1"
        )
        assert (node.uid, node.task, created) == ("new@1", "y", True)

    def test_bulk_create(self, statements: Statements) -> None:
        """`bulk_create([objects])`.

        The same, or dicts as in neomodel; one statement per 5,000 objects.
        """
        rows = [Dataset(name=f"d{number}") for number in range(300)]
        assert statements(lambda: Dataset.nodes.bulk_create(rows)) == 1
        assert rows[0].was_saved
        assert len(Dataset.nodes.bulk_create({"name": "e1"}, {"name": "e2"})) == 2
        with pytest.raises(NodeExistsError):
            Dataset.nodes.bulk_create([Dataset(name="e3"), Dataset(name="e1")])
        assert Dataset.nodes.get_or_none(uid="e3") is None  # all or none

    def test_bulk_create_with_ignore_conflicts(self) -> None:
        """`bulk_create(..., ignore_conflicts=True)` or `update_conflicts=True`.

        `bulk_get_or_create(...)`, `bulk_create_or_update(...)`.
        """
        with pytest.raises(NotImplementedError, match=r"ignore_conflicts.*use bulk_get_or_create"):
            Dataset.nodes.bulk_create([{"name": "raw"}], ignore_conflicts=True)
        with pytest.raises(NotImplementedError, match="use bulk_create_or_update"):
            Dataset.nodes.bulk_create([{"name": "raw"}], update_conflicts=True)
        assert uids(Dataset.nodes.bulk_get_or_create({"name": "raw"}, {"name": "z"})) == [
            "raw",
            "z",
        ]
        (updated,) = Dataset.nodes.bulk_create_or_update({"name": "raw", "license": "BSD"})
        assert (updated.license, updated.num_rows) == ("BSD", 100)

    def test_batch_size(self) -> None:
        """`bulk_create(..., batch_size=...)`, `bulk_update(..., batch_size=...)`.

        An error. Not needed: a statement has at most 5,000 rows and 8 MiB.
        """
        options: Any = {"batch_size": 100}
        for write in (
            lambda: Dataset.nodes.bulk_create([], **options),
            lambda: Dataset.nodes.bulk_update([], [], **options),
            lambda: Dataset.nodes.bulk_save([], **options),
            lambda: Dataset.nodes.bulk_get_or_create(**options),
            lambda: Dataset.nodes.bulk_create_or_update(**options),
        ):
            with pytest.raises(UnsupportedError, match=r"batch_size=.* at most 5,000 rows"):
                write()
        with pytest.raises(TypeError, match="unexpected keyword argument 'size'"):
            Dataset.nodes.bulk_create([], size=1)

    def test_bulk_update(self, statements: Statements) -> None:
        """`bulk_update(objects, fields)`.

        The same; other changed attributes are not written.
        """
        models = Model.nodes.all()
        for model in models:
            model.task, model.framework = "new", "not written"
        assert statements(lambda: Model.nodes.bulk_update(models, ["task"])) == 1
        assert set(Model.nodes.values_list("task", flat=True)) == {"new"}
        assert Model.nodes.filter(framework="not written").count() == 0
        models[0].size = -1
        with pytest.raises(PropertyError, match=r"Model\.size"):
            Model.nodes.bulk_update(models, ["size"])

    def test_bulk_update_of_nothing(self) -> None:
        """`bulk_update(objects, [])`.

        An error, and so is uid, as in Django.
        """
        for fields in ([], ["uid"]):
            with pytest.raises(NodeSetError, match="expected names of properties"):
                Model.nodes.bulk_update(Model.nodes.all(), fields)

    def test_save_writes_changes_only(self, statements: Statements) -> None:
        """`save(update_fields=...)`.

        `save()`: it writes only what changed, so no option is needed; options raise an error.
        """
        options: Any = {"update_fields": ["task"]}
        with pytest.raises(UnsupportedError, match=r"update_fields=.*writes only what changed"):
            Model.nodes.get(uid="xgb@1").save(**options)
        one, other = Model.nodes.get(uid="xgb@1"), Model.nodes.get(uid="xgb@1")
        one.task, other.size = "a", 11
        one.save()
        other.save()
        one.refresh()
        assert (one.task, one.size) == ("a", 11)
        assert statements(one.save) == 0

    def test_full_clean(self) -> None:
        """`full_clean()`.

        Not needed: values are validated when an object is created, and by `save()`.
        """
        with pytest.raises(AttributeError, match="use nothing: values are validated"):
            Model(name="m").full_clean()  # type: ignore[attr-defined]
        with pytest.raises(PropertyError, match=r"Model\.size"):
            Model(name="m", size=-1)
        model = Model(name="m")
        model.size = -1
        with pytest.raises(PropertyError, match=r"Model\.size"):
            model.save()

    def test_choices(self) -> None:
        """`choices=...`, enum members, `get_status_display()`.

        The same, for strings: a list of strings or of (value, label) pairs, a dict of labels, or an
        enum class such as `TextChoices`. Other values raise `DeclarationError`.
        """
        run = Experiment.nodes.get(uid="run1")
        assert run.get_status_display() == "FINISHED"  # type: ignore[attr-defined]
        with pytest.raises(PropertyError, match="did you mean 'RUNNING'"):
            Experiment(status="RUNING")
        assert Experiment().get_status_display() is None  # type: ignore[attr-defined]
        size = StringProperty(choices=[("s", "small"), ("l", "large")])
        assert size.choices == {"s": "small", "l": "large"}

    def test_refresh_from_db(self) -> None:
        """`refresh_from_db()`.

        `refresh()`, as in neomodel.
        """
        with pytest.raises(AttributeError, match=r"use refresh\(\)"):
            Model(name="m").refresh_from_db()  # type: ignore[attr-defined]
        model = Model.nodes.get(uid="xgb@1")
        Model.upsert(name="xgb", version="1", task="changed")
        model.refresh()
        assert model.task == "changed"

    def test_primary_key(self) -> None:
        """`pk`, `id`, natural keys.

        `uid`; in conditions `pk` is an alias of it. `object.pk` and `object.id` raise an
        `AttributeError` that names `uid`.
        """
        model: Any = Model.nodes.get(uid="xgb@1")
        for name in ("pk", "id"):
            assert not hasattr(model, name)
            with pytest.raises(AttributeError, match="use uid"):
                getattr(model, name)
        for cls in NODES.values():
            members = dict(inspect.getmembers(cls.nodes.first()))
            assert members["uid"]
            assert "save" in members
        assert "saved_uid" not in dict(inspect.getmembers(Model(name="new")))
        assert Model.nodes.get(pk="xgb@1").uid == "xgb@1"
        assert Model.nodes.get(name="xgb", version="1").uid == "xgb@1"

    def test_model_to_dict(self) -> None:
        """`model_to_dict(object)`, `object.__properties__`.

        `object.to_dict()`: JSON-ready, and accepted by the constructor.
        """
        run = Experiment.nodes.get(uid="run1")
        values = json.loads(json.dumps(run.to_dict()))
        assert values["started_at"] == "2026-03-01T09:00:00Z"
        assert values["parameters"] == {"lr": 0.1}
        assert Experiment(**values).to_dict() == values
        for value in (float("nan"), float("inf")):
            metric = Metric(uid="m", name="m", value=value)
            assert Metric(**json.loads(json.dumps(metric.to_dict()))).to_dict() == metric.to_dict()

    def test_hash_and_equality(self) -> None:
        """Objects as members of sets and keys of dicts.

        The same: objects are equal if class and uid are.
        """
        assert len({Model.nodes.get(uid="xgb@1"), Model.nodes.get(uid="xgb@1")}) == 1


class TestSets:
    """Sets: chaining and evaluation."""

    def test_sets_are_values(self) -> None:
        """Keep a set, and narrow it in several ways.

        The same: no method changes a set. In neomodel it does.
        """
        base = Model.nodes.filter(framework="xgboost")
        one, two = base.filter(version="1"), base.filter(version="2")
        base.get(uid="xgb@1")
        base.first()
        base[:1], base.order_by("uid"), base.exclude(size=10)
        assert (one.count(), two.count(), base.count()) == (1, 1, 2)
        assert [base[0], base[1]] == base.all()

    def test_sets_are_lazy_and_cached(self, statements: Statements) -> None:
        """A set is read when it is used, once.

        The same; `all()` reads again, and returns a list as in neomodel.
        """
        nodes = Model.nodes.filter(name="xgb")
        assert statements(lambda: nodes.order_by("size").exclude(size=1)) == 0
        assert statements(lambda: (list(nodes), len(nodes), bool(nodes), nodes[0])) == 1
        Model.nodes.create(name="xgb", version="3")
        assert (len(nodes), len(nodes.all()), len(nodes.filter())) == (2, 3, 3)

    def test_all(self) -> None:
        """`objects.all()`.

        `nodes` is the set itself; `nodes.all()` is a list, as in neomodel.
        """
        with pytest.raises(AttributeError, match="'Model' has no attribute 'objects': use nodes"):
            Model.objects  # type: ignore[attr-defined]  # noqa: B018
        assert isinstance(Model.nodes, NodeSet)
        assert uids(Model.nodes) == uids(Model.nodes.all()) == ["Net", "xgb@1", "xgb@2"]

    def test_count(self) -> None:
        """`count()`, `len()`.

        The same; `len()` counts in the database, unless the set was read before.
        """
        assert (Model.nodes.count(), len(Model.nodes), len(Model.nodes.none())) == (3, 3, 0)

    def test_exists(self) -> None:
        """`exists()`, `if queryset:`.

        The same; `bool()` does not read the nodes.
        """
        assert Model.nodes.filter(name="xgb").exists()
        assert not Model.nodes.filter(name="none")

    def test_contains(self) -> None:
        """`object in queryset`, `queryset.contains(object)`.

        The same, by uid; an object that is not saved is an error.
        """
        xgb = Model.nodes.get(uid="xgb@1")
        assert Model.nodes.contains(xgb)
        assert not Project.nodes.get(uid="vision").models.contains(xgb)
        assert xgb in Model.nodes
        assert xgb not in Model.nodes.filter(size=30)
        with pytest.raises(NotSavedError):
            _ = Model(name="new") in Model.nodes

    def test_first(self) -> None:
        """`first()`.

        The same: None if the set is empty; ordered by uid unless the set has an order.
        """
        first = Model.nodes.order_by("-size").first()
        assert first is not None
        assert first.uid == "xgb@2"
        assert Model.nodes.filter(name="none").first() is None
        assert Model.nodes.first(name="Net") == Model.nodes.first_or_none(name="Net")

    def test_last_and_reverse(self) -> None:
        """`last()`, `reverse()`.

        The same.
        """
        assert Model.nodes.last() == Model.nodes.get(uid="xgb@2")
        assert [m.uid for m in Model.nodes.order_by("name").reverse()] == ["xgb@2", "xgb@1", "Net"]

    def test_latest_and_earliest(self) -> None:
        """`latest("started_at")`, `earliest(...)`.

        The same, with a name; nodes without a value are left out.
        """
        assert Experiment.nodes.latest("started_at").uid == "run2"
        assert Experiment.nodes.earliest("started_at").uid == "run1"
        with pytest.raises(Experiment.DoesNotExist):
            Experiment.nodes.none().latest("started_at")
        with pytest.raises(Experiment.DoesNotExist, match="no Experiment has a value of ended_at"):
            Experiment.nodes.latest("ended_at")
        with pytest.raises(Experiment.DoesNotExist, match="that matches status='FAILED' has a"):
            Experiment.nodes.filter(status="FAILED").earliest("ended_at")

    def test_slices(self) -> None:
        """`queryset[5:10]`, `[::2]`, `[0]`.

        The same; a slice with a step is a set, too.
        """
        ordered = Model.nodes.order_by("uid")
        assert [uids(ordered[bounds]) for bounds in (slice(1), slice(1, 3), slice(0, 0))] == [
            ["Net"], ["xgb@1", "xgb@2"], [],
        ]  # fmt: skip
        assert uids(ordered[::2]) == ["Net", "xgb@2"]
        assert (ordered[::2].count(), ordered[1:].count(), ordered[2:9].count()) == (2, 2, 1)
        assert uids(ordered[1:][1:2]) == ["xgb@2"]
        with pytest.raises(IndexError):
            ordered[3]

    def test_negative_index(self) -> None:
        """`queryset[-1]`.

        An error, as in Django: use `last()`.
        """
        with pytest.raises(ValueError, match="last"):
            Model.nodes[-1]
        with pytest.raises(TypeError, match="integer"):
            Model.nodes["0 LIMIT 1 UNION MATCH (model:Model) RETURN model //"]  # type: ignore[call-overload]

    def test_filter_after_slice(self) -> None:
        """`queryset[:5].filter(...)`, `.order_by(...)`, `.update(...)`, `.delete()`.

        An error, as in Django.
        """
        for method, argument in [("filter", {"size": 1}), ("update", {"size": 1}), ("delete", {})]:
            with pytest.raises(TypeError, match="slice"):
                getattr(Model.nodes[:5], method)(**argument)

    def test_none(self, statements: Statements) -> None:
        """`none()`.

        The same.
        """
        nothing = Model.nodes.none().filter(name="xgb")
        assert statements(lambda: list(nothing)) == 0
        assert (nothing.all(), nothing.count(), nothing.exists()) == ([], 0, False)

    def test_union(self) -> None:
        """`union()`, `|`, `&`, `intersection()`, `difference()`.

        The same, and `-`; the result can be filtered like any set.
        """
        tabular, large = Model.nodes.filter(task="tabular"), Model.nodes.filter(size__gte=30)
        net = Model.nodes.filter(name="Net")
        assert uids(large.union(net)) == uids(large | net) == ["Net", "xgb@2"]
        assert uids((large | net).filter(name="Net")) == ["Net"]
        assert uids(tabular & large) == ["xgb@2"]
        assert uids(tabular - large) == uids(tabular.difference(large)) == ["xgb@1"]
        project = Project.nodes.get(name="fraud")
        assert uids(project.models & large) == ["xgb@2"]

    def test_iterator(self) -> None:
        """`iterator(chunk_size=...)`.

        The same: pages from the database, and no cache.
        """
        ordered = Model.nodes.order_by("-uid")
        assert [m.uid for m in ordered.iterator(2)] == ["xgb@2", "xgb@1", "Net"]
        assert next(Model.nodes.values_list("uid", flat=True).order_by("uid").iterator(1)) == "Net"

    def test_in_bulk(self) -> None:
        """`in_bulk([ids])`.

        The same, by uid; `field_name` is an error.
        """
        options: Any = {"field_name": "name"}
        with pytest.raises(UnsupportedError, match="found by uid"):
            Model.nodes.in_bulk(["xgb"], **options)
        assert list(Model.nodes.in_bulk(["xgb@1", "none"])) == ["xgb@1"]
        assert len(Model.nodes.in_bulk()) == 3

    def test_repr(self) -> None:
        """The `repr` of a queryset shows its first objects.

        The same, also for relationships; in notebooks it is a table.
        """
        assert repr(Model.nodes.filter(name="Net")) == "<NodeSet of Model: [<Model Net>]>"
        Dataset.nodes.bulk_create([Dataset(name=f"d{number}") for number in range(30)])
        assert repr(Dataset.nodes).endswith(", ...]>")
        assert "<Model xgb@1>" in repr(Project.nodes.get(name="fraud").models)

    def test_get(self) -> None:
        """`get(...)`, `DoesNotExist`.

        The same; the message suggests similar uids.
        """
        assert Model.nodes.get(Q(size=10) | Q(size=11), name="xgb").uid == "xgb@1"
        with pytest.raises(Model.DoesNotExist, match="did you mean 'xgb@1'"):
            Model.nodes.get(uid="xgb@")
        with pytest.raises(Model.DoesNotExist, match="task='none'"):
            Model.nodes.get(task="none")
        with pytest.raises(TypeError, match="uid='xgb@1'"):
            Model.nodes.get("xgb@1")

    def test_multiple_objects_returned(self) -> None:
        """`MultipleObjectsReturned`.

        `MultipleNodesReturned` of neomodel.
        """
        with pytest.raises(AttributeError, match="MultipleNodesReturned"):
            Model.MultipleObjectsReturned  # type: ignore[attr-defined]  # noqa: B018
        with pytest.raises(neomodel.MultipleNodesReturned, match="name='xgb'"):
            Model.nodes.get(name="xgb")

    def test_get_or_none(self) -> None:
        """`get_or_none(...)`, `first_or_none(...)` of neomodel.

        The same.
        """
        assert Model.nodes.get_or_none(uid="none") is None
        assert Model.nodes.first_or_none(uid="none") is None

    def test_unknown_method(self) -> None:
        """`select_related()`, `raw()`, `extra()`, `using()`, `explain()`, misspelt methods.

        An `AttributeError` that names what to use.
        """
        for name, instead in [
            ("select_related", "prefetch"),
            ("raw", "query"),
            ("cuont", "count"),
            ("select_for_update", "atomic"),
            ("using", "connect"),
            ("explain", "EXPLAIN"),
            ("dates", "values_list"),
            ("aget", "asyncio.to_thread"),
        ]:
            with pytest.raises(AttributeError, match=instead):
                getattr(Model.nodes, name)


class TestConditions:
    """Filters."""

    def test_q(self) -> None:
        """`Q` with `&`, `|`, `~`, `^`.

        The same: `from genai_graph import Q`; neomodel's `Q` is accepted. On related nodes, `^`
        means that exactly one of its sides has matching nodes; Django combines the sides for each
        related node.
        """
        nodes = Model.nodes
        assert uids(nodes.filter(Q(size=10) | Q(name="Net"))) == ["Net", "xgb@1"]
        assert uids(nodes.filter(Q(size=10) & Q(name="xgb"))) == ["xgb@1"]
        assert uids(nodes.filter(~Q(size=10))) == ["Net", "xgb@2"]
        assert uids(nodes.filter(Q(name="xgb") ^ Q(size=10))) == ["xgb@2"]
        assert uids(nodes.filter(neomodel.Q(size=10) | neomodel.Q(name="Net"))) == ["Net", "xgb@1"]

    def test_exclude(self) -> None:
        """`exclude(...)`.

        The same: nodes without a value are kept. In neomodel they are not.
        """
        assert uids(Model.nodes.exclude(task="tabular")) == ["Net"]
        assert uids(Dataset.nodes.exclude(license="NC")) == ["iris", "raw"]
        assert uids(Model.nodes.exclude(name="xgb", size=10)) == ["Net", "xgb@2"]

    def test_ne(self) -> None:
        """`name__ne=...` of neomodel.

        The same as `exclude(name=...)`.
        """
        assert uids(Dataset.nodes.filter(license__ne="NC")) == ["iris", "raw"]

    def test_comparisons(self) -> None:
        """`lt`, `lte`, `gt`, `gte`, `range`, `in`.

        The same; `in` takes any iterable, also a set of nodes or values.
        """
        nodes = Model.nodes
        assert uids(nodes.filter(size__gt=10)) == uids(nodes.filter(size__gte=11)) == ["xgb@2"]
        assert uids(nodes.filter(size__lt=30)) == uids(nodes.filter(size__lte=10)) == ["xgb@1"]
        assert uids(nodes.filter(size__range=(10, 20))) == ["xgb@1"]
        for values in ([10, 11], {10, 11}, (n for n in (10, 11)), range(5, 12)):
            assert uids(nodes.filter(size__in=values)) == ["xgb@1"]
        inner = nodes.filter(size=10).values_list("uid", flat=True)
        assert uids(nodes.filter(uid__in=inner)) == ["xgb@1"]
        assert uids(nodes.filter(size__in=[])) == []

    def test_null(self) -> None:
        """`task=None`, `task__isnull=True`.

        The same.
        """
        nodes = Model.nodes
        assert uids(nodes.filter(task=None)) == uids(nodes.filter(task__isnull=True)) == ["Net"]
        assert uids(nodes.exclude(task=None)) == ["xgb@1", "xgb@2"]

    def test_texts(self) -> None:
        """`contains`, `startswith`, `endswith`, `icontains`, `iexact`, ...

        The same; they find texts of several lines, too.
        """
        for lookup in (
            {"description__contains": "GDPR"},
            {"description__icontains": "gdpr"},
            {"description__startswith": "line"},
            {"description__istartswith": "LINE"},
            {"description__endswith": "data"},
            {"description__iendswith": "DATA"},
            {"description__iexact": "LINE one\ngdpr data"},
        ):
            assert uids(Model.nodes.filter(**lookup)) == ["Net"], lookup

    def test_regex(self) -> None:
        """`regex`, `iregex`.

        The same: strings match if they contain a match. In neomodel, the whole string must match.
        """
        assert uids(Model.nodes.filter(description__regex="one.?$|G.PR")) == ["Net"]
        assert uids(Model.nodes.filter(name__iregex="^XG")) == ["xgb@1", "xgb@2"]
        with pytest.raises(ValueError, match="invalid regular expression"):
            Model.nodes.filter(name__regex="(")

    def test_dates(self) -> None:
        """`started_at__date`, `__year`, `__month`, `__day`, `__hour`, `__week`, ...

        The same, in UTC.
        """
        nodes = Experiment.nodes
        assert uids(nodes.filter(started_at__date=date(2026, 3, 1))) == ["run1"]
        assert uids(nodes.filter(started_at__date__gt=date(2026, 3, 1))) == ["run2"]
        assert uids(nodes.filter(started_at__date__lte=date(2026, 3, 1))) == ["run1"]
        assert uids(
            nodes.filter(started_at__year=2026, started_at__month=3, started_at__day=2)
        ) == ["run2"]
        assert uids(nodes.filter(started_at__year__lt=2026)) == []
        assert uids(nodes.filter(started_at__iso_week_day=7, started_at__hour=9)) == ["run1"]
        assert uids(nodes.filter(started_at__quarter=1, started_at__week=9)) == ["run1"]
        assert uids(nodes.filter(started_at__gte=MARCH.replace(day=2))) == ["run2"]

    def test_lists(self) -> None:
        """`tags__contains=[...]`, `overlap`, `len`; neomodel's `includes`, ...

        The same; `contains` also takes one item.
        """
        nodes = Dataset.nodes
        assert uids(nodes.filter(tags__contains="b")) == ["clean@1", "raw"]
        assert uids(nodes.filter(tags__contains=["a", "b"])) == ["raw"]
        assert uids(nodes.filter(tags__overlap=["a", "c"])) == ["raw"]
        assert uids(nodes.filter(tags__len=1)) == ["clean@1"]
        assert uids(nodes.filter(tags__includes="a")) == ["raw"]
        assert uids(nodes.filter(tags__includes_all=["a", "b"])) == ["raw"]
        assert uids(nodes.filter(tags__includes_any=["a", "c"])) == ["raw"]
        assert uids(nodes.exclude(tags__includes_any=["a", "c"])) == uids(
            nodes.exclude(tags__includes_all=["a", "b"])
        )
        assert uids(nodes.filter(tags=["b"])) == ["clean@1"]

    def test_json(self) -> None:
        """JSON: `parameters={...}`, `parameters__lr__lt=...`, `has_keys`, `has_any_keys`.

        The same. The whole value is compared for equality only. `parameters__lr=None` also finds
        nodes without the key.
        """
        assert uids(Experiment.nodes.filter(parameters={"lr": 0.1})) == ["run1", "run2"]
        assert uids(Experiment.nodes.filter(parameters__lr__lt=0.2)) == ["run1", "run2"]
        assert uids(Experiment.nodes.filter(parameters__has_key="lr")) == ["run1", "run2"]
        Experiment(uid="run3", parameters={"mix": [1, 2.5], "none": None}).save()
        runs = Experiment.nodes
        assert uids(runs.filter(parameters__has_keys=["mix", "none"])) == ["run3"]
        assert uids(runs.filter(parameters__has_any_keys=["mix", "lr"])) == uids(runs)
        assert uids(runs.filter(parameters__none__isnull=False)) == ["run3"]
        assert uids(runs.filter(parameters__none=None)) == uids(runs)
        with pytest.raises(NodeSetError, match="the lookups are exact, ne, in, isnull, has_key"):
            Experiment.nodes.filter(parameters__contains=1)
        with pytest.raises(NodeSetError, match="no order"):
            Experiment.nodes.order_by("parameters")

    def test_unknown_name(self) -> None:
        """Misspelt names in conditions.

        An error at the call, with a suggestion and the list.
        """
        for call in (
            lambda: Model.nodes.filter(nmae="x"),
            lambda: Model.nodes.exclude(Q(nmae="x")),
            lambda: Model.nodes.order_by("-nmae"),
            lambda: Model.nodes.values("nmae"),
            lambda: Model.nodes.only("nmae"),
            lambda: Model.nodes.filter(trained_on__nmae="x"),
            lambda: Model.nodes.aggregate(Count("nmae")),
        ):
            with pytest.raises(
                UnknownPropertyError, match=r"did you mean 'name'.*its properties are"
            ):
                call()
        with pytest.raises(UnknownPropertyError, match="did you mean 'trained_on'"):
            Model.nodes.filter(traned_on__name="x")

    def test_unknown_lookup(self) -> None:
        """Misspelt lookups.

        An error at the call, with a suggestion and the list.
        """
        with pytest.raises(NodeSetError, match=r"'contain'.*did you mean 'contains'.*startswith"):
            Model.nodes.filter(name__contain="x")
        with pytest.raises(NodeSetError, match="no such lookup"):
            Model.nodes.filter(size__contains=1)

    def test_invalid_values(self) -> None:
        """Values of another type.

        An error at the call; nothing is converted.
        """
        for lookup in ({"size": "10"}, {"size__in": ["10"]}, {"started_at__gt": date(2026, 3, 1)}):
            with pytest.raises(PropertyError, match="expected"):
                (Experiment if "started_at__gt" in lookup else Model).nodes.filter(**lookup)
        with pytest.raises(TypeError, match="list"):
            Model.nodes.filter(name__in="xgb")

    def test_nan(self) -> None:
        """`value=float("nan")`.

        Finds NaN, as in PostgreSQL.
        """
        Experiment.nodes.get(uid="run1").record("nan", float("nan"))
        assert [m.name for m in Metric.nodes.filter(value=float("nan"))] == ["nan"]
        assert Metric.nodes.exclude(value=float("nan")).count() == 4


class TestRelated:
    """Conditions on related nodes."""

    def test_related_filter(self) -> None:
        """`filter(projects__name=...)`, over several hops.

        Returns nodes, each once, without `distinct()`. In neomodel, it returns lists of nodes and
        edges.
        """
        assert uids(Model.nodes.filter(projects__owner="ann")) == ["xgb@1", "xgb@2"]
        assert uids(Model.nodes.filter(projects__name__in=["fraud", "vision"])) == uids(Model.nodes)
        assert uids(Project.nodes.filter(models__trained_on__license="NC")) == ["fraud", "vision"]
        assert Model.nodes.filter(trained_on__name="raw").count() == 2
        assert Model.nodes.get(uid="xgb@2", projects__name="fraud").uid == "xgb@2"
        assert uids(Dataset.nodes.filter(parents__children__name="clean")) == ["clean@1"]

    def test_two_conditions_of_one_call(self) -> None:
        """`filter(metrics__name=..., metrics__value__gt=...)`.

        The same: both refer to one related node.
        """
        runs = Experiment.nodes
        assert uids(runs.filter(metrics__name="accuracy", metrics__value__gt=0.8)) == ["run1"]
        assert uids(runs.filter(Q(metrics__name="loss") & Q(metrics__value__lt=0.5))) == ["run1"]
        either = Q(metrics__value__gt=0.92) | Q(metrics__value__lt=0.5)
        assert uids(runs.filter(either, metrics__name="loss")) == ["run1", "run2"]
        either = Q(metrics__value__gt=0.8) | Q(status="FAILED")
        assert uids(runs.filter(either, metrics__name="accuracy")) == ["run1", "run2"]
        either = Q(metrics__value__gt=0.92) | Q(status="KILLED")
        assert uids(runs.filter(either, metrics__name="accuracy")) == []

    def test_chained_calls(self) -> None:
        """`filter(metrics__name=...).filter(metrics__value__gt=...)`.

        The same: the calls may match different related nodes.
        """
        chained = Experiment.nodes.filter(metrics__name="accuracy").filter(metrics__value__gt=0.92)
        assert uids(chained) == ["run2"]  # its loss

    def test_related_exclude(self) -> None:
        """`exclude(experiments__status=...)`, `~Q(experiments__status=...)`.

        Finds nodes of which no related node meets the conditions. Two differences from Django:
        several conditions must be met by the same related node; and with `Q(...) & ~Q(...)` on one
        relationship, no related node meets the second condition.
        """
        assert uids(Model.nodes.exclude(experiments__status="FAILED")) == ["Net", "xgb@2"]
        assert uids(Model.nodes.exclude(projects__name="fraud")) == ["Net"]
        runs = Experiment.nodes
        assert uids(runs.exclude(metrics__name="accuracy", metrics__value__gt=0.8)) == ["run2"]
        low = Q(metrics__name="loss") & ~Q(metrics__value__gt=0.8)
        assert uids(runs.filter(low)) == []  # in Django run1: its loss is not greater

    def test_related_isnull(self) -> None:
        """`projects__isnull=True`; neomodel's `projects__exists=False`.

        The same.
        """
        assert uids(Model.nodes.filter(trained_on__isnull=True)) == ["Net"]
        assert uids(Model.nodes.filter(trained_on=None)) == ["Net"]
        assert uids(Model.nodes.filter(trained_on__exists=True)) == ["xgb@1", "xgb@2"]

    def test_missing_related_values(self) -> None:
        """`metrics__split=None`, `models__trained_on__isnull=True`.

        The same, as in a left join: a related node without a value, or no related node.
        """
        accuracy, loss = "run1/accuracy/raw", "run1/loss"
        query("MATCH (m:Metric {uid: $uid}) SET m.split = 'val'", uid=loss, write=True)
        first = Metric.nodes.filter(uid__in=[accuracy, loss])
        assert uids(first.filter(dataset__license=None)) == [loss]
        assert uids(first.filter(dataset__license__isnull=False)) == [accuracy]
        assert uids(first.exclude(dataset__license=None)) == [accuracy]
        assert uids(first.filter(dataset__projects__name=None)) == [accuracy, loss]
        assert uids(first.filter(dataset__projects__isnull=True)) == [accuracy, loss]

        Experiment(uid="idle", parameters={"seed": 1}).save()
        runs = Experiment.nodes.exclude(uid="run2")
        assert uids(runs.filter(metrics__split=None)) == ["idle", "run1"]
        assert uids(runs.filter(metrics__name="loss", metrics__split=None)) == []
        assert uids(runs.filter(metrics__name="accuracy", metrics__split=None)) == ["run1"]
        assert uids(runs.filter(models__trained_on__license=None)) == ["idle"]
        Model.nodes.get(uid="Net").experiments.connect(runs.get(uid="run1"))
        assert uids(runs.filter(models__trained_on__isnull=True)) == ["idle", "run1"]
        assert uids(runs.exclude(models__trained_on__isnull=True)) == []
        assert uids(Model.nodes.filter(experiments__parameters__seed=None)) == [
            "Net",
            "xgb@1",
            "xgb@2",
        ]
        run2 = Experiment.nodes.get(uid="run2")
        run2.parameters = {"lr": 0.2, "seed": 7}
        run2.save()
        with_seed = Model.nodes.filter(uid="xgb@1", experiments__parameters__seed__isnull=False)
        without = Model.nodes.filter(uid="xgb@1", experiments__parameters__seed__isnull=True)
        assert uids(with_seed) == uids(without) == ["xgb@1"]  # one run has a seed, another has none

    def test_related_object(self) -> None:
        """`filter(projects=project)`, `projects__in=[...]`, `projects__in=queryset`.

        The same; a uid instead of a node is accepted, too.
        """
        fraud = Project.nodes.get(name="fraud")
        expected = ["xgb@1", "xgb@2"]
        for lookup in (
            {"projects": fraud},
            {"projects": "fraud"},
            {"projects__in": [fraud]},
            {"projects__in": Project.nodes.filter(owner="ann")},
            {"projects__in": Project.nodes.order_by("name")[:1]},
        ):
            assert uids(Model.nodes.filter(**lookup)) == expected
        with pytest.raises(TypeError, match="expected a Model, got <Project fraud>"):
            Model.nodes.filter(uid=fraud)
        nobody = Project.nodes.filter(owner="nobody")
        for empty in ([], nobody, nobody[:1], Project.nodes.none()):
            assert uids(Model.nodes.filter(projects__in=empty)) == []
            assert uids(Model.nodes.exclude(projects__in=empty)) == ["Net", *expected]
        assert uids(Model.nodes.exclude(projects=fraud)) == ["Net"]
        with pytest.raises(TypeError, match="Project"):
            Model.nodes.filter(projects=Model.nodes.get(uid="Net"))

    def test_edge_property(self) -> None:
        """A condition on the edge: `trained_on|role` of neomodel, `through` of Django.

        `filter(**{"trained_on|role": "test"})`; on one node `model.trained_on.match(role="test")`.
        """
        assert uids(Model.nodes.filter(**{"trained_on|role": "test"})) == ["xgb@2"]
        both = {"trained_on|role": "test", "trained_on__name": "raw"}
        assert uids(Model.nodes.filter(**both)) == []
        model = Model.nodes.get(uid="xgb@2")
        assert uids(model.trained_on.match(role="test")) == ["clean@1"]
        assert uids(model.trained_on.match(role__in=["test", "training"])) == ["clean@1", "raw"]

    def test_order_by_related(self) -> None:
        """`order_by("projects__name")`.

        Each node once, by its first related value, or its last one for `-`.
        """
        ordered = Model.nodes.order_by("projects__name", "-size")
        assert [model.uid for model in ordered] == ["xgb@2", "xgb@1", "Net"]
        assert [run.uid for run in Experiment.nodes.order_by("-metrics__value")] == ["run2", "run1"]


class TestOrder:
    """Sorting."""

    def test_order_by(self) -> None:
        """`order_by("-size", "name")`.

        The same: a second call replaces the first. In neomodel it adds to it.
        """
        nodes = Model.nodes.order_by("name").order_by("-size", "name")
        assert [model.uid for model in nodes] == ["xgb@2", "xgb@1", "Net"]

    def test_missing_values(self) -> None:
        """`F("size").desc(nulls_last=True)`.

        Always: nodes without a value are last in both directions.
        """
        for name in ("size", "-size"):
            assert [model.uid for model in Model.nodes.order_by(name)][-1] == "Net"

    def test_random_order_and_no_order(self) -> None:
        """`order_by("?")`, `order_by()`; neomodel's `order_by(None)`.

        The same.
        """
        assert uids(Model.nodes.order_by("?")) == uids(Model.nodes)
        assert uids(Model.nodes.order_by("size").order_by(None)) == uids(Model.nodes)

    def test_equal_values(self) -> None:
        """Pages of nodes with equal values.

        Ordered by uid, so that pages never overlap.
        """
        ordered = Model.nodes.order_by("task")
        assert [ordered[at].uid for at in range(3)] == ["xgb@1", "xgb@2", "Net"]


class TestResults:
    """Results other than nodes."""

    def test_values(self) -> None:
        """`values("uid", "size")`.

        The same, with the same Python types as the attributes.
        """
        rows = Model.nodes.filter(name="xgb").order_by("uid").values("uid", "size")
        assert rows.all() == [{"uid": "xgb@1", "size": 10}, {"uid": "xgb@2", "size": 30}]
        assert set(Model.nodes.values()[0]) == set(Model.nodes.first().__properties__) - {  # type: ignore[union-attr]
            "element_id_property"
        }
        run = Experiment.nodes.values("parameters", "started_at").order_by("uid").first()
        assert run == {"parameters": {"lr": 0.1}, "started_at": MARCH}

    def test_values_of_related_nodes(self) -> None:
        """`values("projects__name")`.

        The same: one row for each related node; also `trained_on|role`.
        """
        rows = Model.nodes.order_by("uid").values_list("uid", "trained_on__uid", "trained_on|role")
        assert sorted(rows, key=str) == [
            ("Net", None, None),
            ("xgb@1", "raw", "training"),
            ("xgb@2", "clean@1", "test"),
            ("xgb@2", "raw", "training"),
        ]

    def test_values_list(self) -> None:
        """`values_list(..., flat=True)`, `named=True`.

        The same.
        """
        ordered = Model.nodes.order_by("uid")
        assert ordered.values_list("uid", flat=True).all() == ["Net", "xgb@1", "xgb@2"]
        assert ordered.values_list("uid", "size")[1] == ("xgb@1", 10)
        assert ordered.values_list("uid", "size", named=True)[1].size == 10
        with pytest.raises(ValueError, match="flat"):
            ordered.values_list("uid", "size", flat=True)

    def test_distinct(self) -> None:
        """`distinct()`.

        For `values`; nodes never occur twice. `distinct("team")` is an error.
        """
        names: Any = ["task"]
        with pytest.raises(TypeError, match=r"values_list\('task'\)\.distinct\(\)"):
            Model.nodes.distinct(*names)
        assert Model.nodes.values_list("task", flat=True).distinct().order_by("task").all() == [
            "tabular", None,
        ]  # fmt: skip
        assert Model.nodes.distinct().count() == 3

    def test_only_and_defer(self, statements: Statements) -> None:
        """`only("name")`, `defer("values")`.

        The same: other properties are read when they are used, also by a copy.
        """
        for nodes in (Model.nodes.only("name"), Model.nodes.defer("task", "size")):
            model = nodes.get(uid="xgb@1")
            assert statements(lambda node=model: node.name) == 0
            assert statements(lambda node=model: (node.size, node.task)) == 1
            assert (model.size, model.task) == (10, "tabular")
        model = Model.nodes.only("name").get(uid="xgb@1")
        model.size = 12
        model.save()
        assert Model.nodes.get(uid="xgb@1").to_dict() == model.to_dict()
        assert (model.size, model.task) == (12, "tabular")

    def test_aggregate(self) -> None:
        """`aggregate(Avg("size"), total=Sum(...))`, Count, Min, Max.

        The same; also of related nodes.
        """
        result = Model.nodes.aggregate(
            Avg("size"),
            Max("size"),
            total=Sum("size"),
            n=Count("*"),
            tasks=Count("task", distinct=True),
        )
        assert result == {"size__avg": 20, "size__max": 30, "total": 40, "n": 3, "tasks": 1}
        runs = Experiment.nodes.filter(status="FINISHED")
        assert runs.aggregate(Max("metrics__value"), Count("metrics")) == {
            "metrics__value__max": 0.9,
            "metrics__count": 2,
        }
        nothing = Model.nodes.filter(name="none").aggregate(Sum("size"), n=Count("*"))
        assert nothing == {"size__sum": None, "n": 0}
        assert Experiment.nodes.aggregate(Min("started_at")) == {"started_at__min": MARCH}
        with pytest.raises(NodeSetError, match="number"):
            Model.nodes.aggregate(Avg("name"))

    def test_annotate(self) -> None:
        """`annotate(n=Count("metrics"))`, then `filter(n__gt=...)`, `order_by("-n")`.

        The same, for aggregates of related nodes; several counts in one call are correct, without
        `distinct=True`.
        """
        models = Model.nodes.annotate(runs=Count("experiments"), sets=Count("trained_on"))
        assert {model.uid: (model.runs, model.sets) for model in models} == {
            "Net": (0, 0), "xgb@1": (2, 1), "xgb@2": (0, 2),
        }  # fmt: skip
        assert uids(models.filter(runs__gt=0)) == ["xgb@1"]
        assert models.order_by("-sets", "uid")[0].uid == "xgb@2"
        best = Experiment.nodes.annotate(best=Max("metrics__value")).order_by("-best")
        assert best.values_list("uid", "best").all() == [("run2", 0.95), ("run1", 0.9)]

    def test_annotate_with_conditions(self) -> None:
        """`filter(metrics__name=...)` before `annotate(n=Count("metrics"))`.

        Conditions choose nodes only: all of their related nodes are counted, which differs from
        Django. To count some of them, write `Count("metrics", filter=Q(metrics__name=...))`.
        """
        runs = Experiment.nodes.filter(metrics__name="loss")
        low = Q(metrics__name="loss", metrics__value__lt=0.5)
        found = runs.annotate(
            all=Count("metrics"),
            low=Count("metrics", filter=low),
            other=Max("metrics__value", filter=~Q(metrics__name="loss")),
        ).order_by("uid")
        assert found.values_list("all", "low", "other").all() == [(2, 1, 0.9), (2, 0, 0.7)]
        by_role = Count("trained_on", filter=Q(**{"trained_on|role": "test"}))
        assert {m.uid: m.n for m in Model.nodes.annotate(n=by_role)} == {  # type: ignore[attr-defined]
            "Net": 0, "xgb@1": 0, "xgb@2": 1,
        }  # fmt: skip
        assert Experiment.nodes.aggregate(
            low=Count("metrics", filter=low), runs=Count("*", filter=Q(status="FAILED"))
        ) == {"low": 1, "runs": 1}
        with pytest.raises(NodeSetError, match="conditions on the same related Metric"):
            Experiment.nodes.annotate(n=Count("metrics", filter=Q(status="FAILED")))

    def test_aggregates_of_annotations(self) -> None:
        """`annotate(n=Count("metrics")).aggregate(Max("n"))`.

        The same; not for groups.
        """
        counted = Model.nodes.annotate(n=Count("trained_on"))
        assert counted.aggregate(Max("n"), total=Sum("n")) == {"n__max": 2, "total": 3}
        assert counted.filter(n__gt=0).aggregate(Avg("n")) == {"n__avg": 1.5}
        assert counted.order_by("n", "uid")[:2].aggregate(Max("n")) == {"n__max": 1}
        with pytest.raises(TypeError, match="not possible for groups"):
            Model.nodes.values("task").annotate(n=Count("uid")).aggregate(Max("n"))

    def test_group_by(self) -> None:
        """`values("task").annotate(n=Count("uid"))`.

        The same.
        """
        groups = Model.nodes.values("task").annotate(n=Count("uid"), largest=Max("size"))
        assert groups.order_by("-n").all() == [
            {"task": "tabular", "n": 2, "largest": 30},
            {"task": None, "n": 1, "largest": None},
        ]
        assert groups.filter(n__lt=2).count() == 1
        assert groups.filter(n__gt=0, size__gt=10).all() == [
            {"task": "tabular", "n": 1, "largest": 30},
        ]
        with pytest.raises(NodeSetError, match="use separate calls of filter"):
            groups.filter(Q(n=1) | Q(size=10)).all()

    def test_values_of_groups(self) -> None:
        """`values("task").annotate(n=Count("uid")).values_list("n", flat=True)`.

        The same; groups of JSON values and of annotations, too.
        """
        groups = Model.nodes.values("task").annotate(n=Count("uid"))
        assert groups.values_list("n", flat=True).order_by("-n").all() == [2, 1]
        assert groups.values_list("n", "task").order_by("task").all() == [(2, "tabular"), (1, None)]
        assert groups.values("n").order_by("-n")[0] == {"n": 2}
        with pytest.raises(NodeSetError, match="groups have task, n only"):
            groups.values("size")

        by_number = Model.nodes.annotate(runs=Count("experiments")).values("runs")
        assert by_number.annotate(n=Count("uid")).order_by("runs").all() == [
            {"runs": 0, "n": 2},
            {"runs": 2, "n": 1},
        ]
        assert by_number.annotate(n=Count("trained_on")).filter(runs=2).all() == [
            {"runs": 2, "n": 1},
        ]
        rates = Experiment.nodes.values("parameters__lr")
        expected = {"parameters__lr": 0.1, "n": 2}
        assert rates.annotate(n=Count("uid")).order_by("-parameters__lr").all() == [expected]
        assert rates.distinct().order_by("parameters__lr").all() == [{"parameters__lr": 0.1}]

    def test_methods_for_nodes_after_values(self) -> None:
        """`values(...)`, then `only()`, `defer()`, `prefetch_related()`.

        An error: these methods are for sets of nodes.
        """
        values = Model.nodes.values("uid")
        for method in (values.only, values.defer, values.prefetch_related):
            with pytest.raises(TypeError, match=r"not possible after values\(\)"):
                method()
        prefetched = Model.nodes.prefetch_related("projects")
        assert prefetched.values("uid").all() == values.all()
        assert len(prefetched.traverse("projects")) == 4

    def test_prefetch_related(self, statements: Statements) -> None:
        """`prefetch_related("trained_on__projects")`.

        The same: one statement for each relationship. neomodel's `traverse` does not cache
        the related nodes.
        """
        models = Model.nodes.prefetch_related("trained_on__trained_models", "projects")
        assert statements(lambda: list(models)) == 4

        def use() -> None:
            for model in models:
                assert len(model.projects) >= 1
                for dataset in model.trained_on:
                    assert dataset.trained_models.all()

        assert statements(use) == 0
        model = models.get(uid="Net")
        assert model.trained_on.all() == []
        model.trained_on.connect(Dataset.nodes.get(uid="raw"))
        assert uids(model.trained_on) == ["raw"]

    def test_traverse(self) -> None:
        """`traverse("trained_on")` of neomodel.

        Lists of a node, a related node and their edge, of the right class.
        """
        rows = Model.nodes.filter(uid="xgb@1").traverse("trained_on").all()
        assert [type(item).__name__ for item in rows[0]] == ["Model", "Dataset", "TrainedOn"]
        clean, raw, edge = Dataset.nodes.traverse("parents")[0]
        assert type(edge).__name__ == "DatasetDerivedFrom"
        assert (edge.start_node(), edge.end_node()) == (clean, raw)
        Model.nodes.get(uid="xgb@2").parents.connect(Model.nodes.get(uid="xgb@1"))
        assert type(Model.nodes.traverse("parents")[0][2]).__name__ == "ModelDerivedFrom"

    def test_to_pandas(self) -> None:
        """`pandas.DataFrame(queryset.values())`.

        `nodes.to_pandas()`, `query(...).to_pandas()`, `ask(...).to_pandas()`.
        """
        frame = Model.nodes.order_by("uid").values("uid", "size").to_pandas()
        assert list(frame.columns) == ["uid", "size"]
        assert frame["size"].max() == 30
        assert "framework" in Model.nodes.to_pandas().columns
        assert list(Model.nodes.none().to_pandas().columns) == list(Model.nodes.to_pandas().columns)
        rows = query("MATCH (m:Model) RETURN m.uid AS uid, m.size AS size ORDER BY uid")
        assert rows[1:] == [{"uid": "xgb@1", "size": 10}, {"uid": "xgb@2", "size": 30}]
        assert list(rows.to_pandas()["uid"]) == ["Net", "xgb@1", "xgb@2"]


class TestChanging:
    """Changing and deleting many nodes."""

    def test_update(self, statements: Statements) -> None:
        """`update(task="x")`.

        The same: values are validated, and `updated_at` changes.
        """
        before = Model.nodes.get(uid="xgb@1").updated_at
        assert Model.nodes.filter(name="xgb").update(task="fraud", tags=["new"]) == 2
        assert Model.nodes.filter(task="fraud", tags=["new"]).count() == 2
        after = Model.nodes.get(uid="xgb@1").updated_at
        assert before is not None
        assert after is not None
        assert after > before
        assert Model.nodes.update(task="fraud") == 3
        assert Model.nodes.get(uid="xgb@1").updated_at == after  # nothing changed
        for values in ({"size": "1"}, {"uid": "x"}, {"nmae": "x"}, {"name": None}):
            with pytest.raises(PropertyError):
                Model.nodes.update(**values)

    def test_delete(self) -> None:
        """`delete()` of a set.

        The same, with the metrics of experiments; the result counts them by label.
        """
        assert Experiment.nodes.filter(status="FAILED").delete() == (
            3,
            {"Metric": 2, "Experiment": 1},
        )
        assert Metric.nodes.count() == 2
        assert Model.nodes.filter(name="none").delete() == (0, {})

    def test_delete_of_protected_nodes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`on_delete=PROTECT`.

        The same for datasets and models, unless the nodes that depend on them are deleted, too, or
        `force=True` is given.
        """
        for relationship in (Dataset.trained_models, Dataset.children):
            monkeypatch.setattr(relationship, "protects", True, raising=False)
        with pytest.raises(ValueError, match=r"'raw'.*other nodes depend on it"):
            Dataset.nodes.filter(name="raw").delete()
        assert Dataset.nodes.count() == 3
        Model.nodes.delete(force=True)
        Metric.nodes.delete()
        assert Dataset.nodes.filter(name__in=["raw", "clean"]).delete() == (2, {"Dataset": 2})

    def test_delete_an_object(self) -> None:
        """`object.delete()`.

        The same; a second time it is an error.
        """
        iris = Dataset.nodes.get(name="iris")
        assert iris.delete() is True
        with pytest.raises(NotSavedError, match="deleted"):
            iris.delete()
        copy = Dataset.nodes.create(name="copy")
        Dataset.nodes.filter(name="copy").delete()
        with pytest.raises(NodeNotFoundError):
            copy.delete()

    def test_f_expressions(self) -> None:
        """`update(size=F("size") + 1)`.

        Not available: set attributes and `bulk_update()`, or `query(..., write=True)`.
        """
        models = Model.nodes.filter(size__isnull=False).all()
        for model in models:
            model.size = (model.size or 0) + 1
        Model.nodes.bulk_update(models, ["size"])
        assert sorted(Model.nodes.filter(size__gt=0).values_list("size", flat=True)) == [11, 31]


class TestRelationships:
    """Relationships."""

    @pytest.fixture
    def fraud(self) -> Project:
        return Project.nodes.get(name="fraud")

    def test_reverse_names(self, fraud: Project) -> None:
        """`project.model_set`, `related_name`.

        Both directions have names: `project.models`, `model.projects`.
        """
        assert uids(fraud.models) == ["xgb@1", "xgb@2"]
        assert uids(Model.nodes.get(uid="xgb@1").projects) == ["fraud"]

    def test_related_set(self, fraud: Project) -> None:
        """`project.models.filter(...)`, `count()`, `exists()`, `first()`, `values()`, ...

        The same: a relationship has all methods of a set.
        """
        models = fraud.models
        assert (models.count(), len(models), models.exists(), bool(models)) == (2, 2, True, True)
        assert models.first() == models.order_by("uid")[0] == Model.nodes.get(uid="xgb@1")
        assert models.last() == models.get(uid="xgb@2")
        assert models.filter(size__gt=10).values_list("uid", flat=True).all() == ["xgb@2"]
        assert models.aggregate(Sum("size")) == {"size__sum": 40}
        assert uids(models[:1].all() + models.exclude(size=10).all()) != []
        assert uids(models.filter(projects__name="vision")) == ["xgb@2"]

    def test_related_create(self, fraud: Project) -> None:
        """`project.models.create(...)`, `get_or_create(...)`, `update_or_create(...)`.

        The same: the new node is connected; `through_defaults` are values of the edge.
        """
        created = fraud.models.create(name="new")
        assert created in fraud.models
        assert fraud.models.get_or_create(name="new") == (created, False)
        assert fraud.models.update_or_create({"task": "x"}, name="other")[1] is True
        assert fraud.models.count() == 4
        dataset = created.trained_on.create(name="d", through_defaults={"role": "test"})
        assert uids(created.trained_on.match(role="test")) == [dataset.uid]
        for method in (created.trained_on.get_or_create, created.trained_on.update_or_create):
            new, _ = method(name=method.__name__, through_defaults={"role": "validation"})
            assert created.trained_on.match(role="validation", split=None).get(uid=new.uid) == new
            assert method(name=new.name, through_defaults={"role": "test"}) == (new, False)
            assert created.trained_on.match(role="test").filter(uid=new.uid).count() == 0
        with pytest.raises(NodeExistsError):
            fraud.models.create(name="Net")
        assert fraud.models.count() == 4

    def test_add_remove_set_clear(self, fraud: Project) -> None:
        """`add()`, `remove()`, `set()`, `clear()`.

        The same, with objects or uids; `connect()`, `disconnect()`, `disconnect_all()` of neomodel
        as well.
        """
        xgb1, net = Model.nodes.get(uid="xgb@1"), Model.nodes.get(uid="Net")
        fraud.models.add(net, xgb1)
        assert fraud.models.count() == 3
        fraud.models.remove(xgb1)
        assert uids(fraud.models) == ["Net", "xgb@2"]
        fraud.models.set([xgb1, net])
        assert uids(fraud.models) == ["Net", "xgb@1"]
        fraud.models.clear()
        assert not fraud.models.exists()
        fraud.models.add("xgb@1", net)
        fraud.models.remove("Net")
        assert uids(fraud.models) == ["xgb@1"]
        fraud.models.set(["xgb@2", net])
        assert uids(fraud.models) == ["Net", "xgb@2"]
        with pytest.raises(Model.DoesNotExist, match="did you mean 'xgb@1'"):
            fraud.models.set(["xgb@"])
        assert uids(fraud.models) == ["Net", "xgb@2"]
        with pytest.raises(TypeError, match="Model"):
            fraud.models.add(Dataset.nodes.get(uid="raw"))

    def test_connect_all(self, fraud: Project, statements: Statements) -> None:
        """Many edges at once: `bulk_create` of the through model.

        `connect_all(nodes)`, also with (node, properties) pairs: two statements per 5,000 edges.
        """
        models = Model.nodes.bulk_create([Model(name=f"m{number}") for number in range(500)])
        assert statements(lambda: fraud.models.connect_all(models)) == 2
        assert fraud.models.count() == 502
        net = Model.nodes.get(uid="Net")
        counts = net.trained_on.connect_all((d, {"role": "test"}) for d in Dataset.nodes)
        assert (counts.created, net.trained_on.match(role="test").count()) == (3, 3)
        with pytest.raises(PropertyError, match="did you mean 'test'"):
            net.trained_on.connect_all([(d, {"role": "tst"}) for d in Dataset.nodes])

    def test_single_and_is_connected(self, fraud: Project) -> None:
        """`single()`, `is_connected()`, `relationship()` of neomodel.

        The same.
        """
        net = Model.nodes.get(uid="Net")
        assert [project.name for project in [net.projects.single()] if project] == ["vision"]
        assert not fraud.models.is_connected(net)
        edge = Model.nodes.get(uid="xgb@1").trained_on.relationship(Dataset.nodes.get(uid="raw"))
        assert isinstance(edge, Edge)

    def test_unsaved_object(self) -> None:
        """Relationships of an object that is not saved.

        An error, as in Django.
        """
        for action in (
            lambda: Project(name="new").models.count(),
            lambda: Project(name="new").models.create(name="x"),
        ):
            with pytest.raises(NotSavedError, match="call save"):
                action()


class TestOther:
    """Transactions and other habits."""

    def test_atomic(self) -> None:
        """`transaction.atomic()`.

        `with atomic():`, or `@atomic()`. `durable` and `savepoint` are errors.
        """
        options: Any = {"durable": True}
        with pytest.raises(UnsupportedError, match=r"durable=.*only the outermost one"):
            atomic(**options)
        with pytest.raises(RuntimeError), atomic():  # noqa: PT012
            Model.nodes.create(name="new")
            Model.nodes.update(task="x")
            raise RuntimeError
        assert Model.nodes.filter(name="new").exists() is False
        assert Model.nodes.filter(task="x").exists() is False

    def test_raw_statements(self) -> None:
        """`objects.raw(...)`, `db.cypher_query(...)`.

        `query("MATCH ...", name=value)`; `db.cypher_query` works as well.
        """
        rows = query("MATCH (m:Model {uid: $uid}) RETURN m.size AS size", uid="xgb@1")
        assert rows == [{"size": 10}]
        assert neomodel.db.cypher_query("MATCH (m:Model) RETURN count(m)")[0] == [[3]]

    def test_functions_as_custom_querysets(self) -> None:
        """A custom manager or `QuerySet.as_manager()`.

        Functions that take and return a set.
        """

        def tabular(models: NodeSet[Model]) -> NodeSet[Model]:
            return models.filter(task="tabular")

        assert tabular(Model.nodes.filter(size__gt=10)).count() == 1

    def test_sets_can_be_built_before_connect(self) -> None:
        """A set as a constant of a module.

        The same: it uses the connection that is open at evaluation. It can be pickled.
        """
        nodes = pickle.loads(pickle.dumps(Model.nodes.filter(projects__name="fraud")))
        assert uids(nodes) == ["xgb@1", "xgb@2"]

    def test_on_commit(self) -> None:
        """`transaction.on_commit(function)`.

        `on_commit(function)`; outside a block, the function is called at once. `robust` is an
        error.
        """
        options: Any = {"robust": True}
        with pytest.raises(UnsupportedError, match="robust"):
            on_commit(print, **options)
        calls: list[int] = []
        with atomic():
            on_commit(lambda: calls.append(Model.nodes.filter(name="new").count()))
            Model.nodes.create(name="new")
            assert calls == []
        assert calls == [1]

    def test_transactions_of_neomodel(self) -> None:
        """`db.transaction`, `db.write_transaction`, `db.read_transaction` of neomodel.

        The same. A write in a read transaction raises `ReadOnlyError`.
        """
        with neomodel.db.transaction:
            Model.nodes.create(name="new")
        assert Model.nodes.filter(name="new").exists()
        with pytest.raises(ReadOnlyError), neomodel.db.read_transaction:
            Model.nodes.create(name="newer")

    def test_hooks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Signals; neomodel's `pre_save`, `post_save`, `pre_delete`, `post_delete`.

        Methods of your own node classes, called by `save()` and `delete()` of an object, and for
        each object of a set that is deleted. `upsert`, `update` and loads don't call them.
        """
        calls: list[str] = []
        for hook in ("pre_save", "post_delete"):

            def call(node: Model, hook: str = hook) -> None:
                calls.append(f"{hook} {node.name}")

            monkeypatch.setattr(Model, hook, call, raising=False)
        Model(name="new").save()
        Model.upsert(name="newer")
        assert calls == ["pre_save new"]
        found = Model.nodes.filter(name__startswith="new").order_by("name")
        assert found.delete() == (2, {"Model": 2})
        assert calls[1:] == ["post_delete new", "post_delete newer"]

    def test_pickle(self) -> None:
        """`pickle`, workers of multiprocessing or Celery.

        The same: nodes, edges, sets, answers and errors can be pickled. A worker opens the
        connection again.
        """
        node = pickle.loads(pickle.dumps(Model.nodes.get(uid="xgb@1")))
        assert node.save().size == 10
        assert node.projects.first().uid == "fraud"

    def test_copies(self) -> None:
        """`copy.copy(object)`, and `object.pk = None` to clone it.

        A copy stands for the same node. To clone a node, use `Model(**{**node.to_dict(), "uid":
        None, "version": "3", "created_at": None, "updated_at": None})`.
        """
        node = Model.nodes.get(uid="xgb@1")
        assert copy.copy(node) == copy.deepcopy(node) == node
        values: dict[str, Any] = {**node.to_dict(), "uid": None, "version": "3"}
        new = Model(**{**values, "created_at": None, "updated_at": None}).save()
        assert new.uid == "xgb@3"
        assert new.created_at != node.created_at

    def test_sorting_objects(self) -> None:
        """`sorted(objects)`.

        `sorted(nodes, key=lambda node: node.uid)`; nodes have no order, as in Django.
        """
        nodes: list[Any] = [Model(name="b"), Model(name="a")]
        assert sorted(nodes, key=lambda node: node.uid) == nodes[::-1]
        with pytest.raises(TypeError):
            sorted(nodes)

    def test_subclasses_of_models(self) -> None:
        """A subclass of a model with more fields, a proxy model.

        `@extend(Model)` adds properties, and a subclass of `Node` is a new node class: see [own
        classes](own-classes.md). A subclass of `Model` raises `DeclarationError`.
        """
        with pytest.raises(DeclarationError, match=r"@extend\(Model\)"):
            type("Sub", (Model,), {})

    def test_arguments_of_fields(self) -> None:
        """`default=`, `null=`, `max_length=`, `unique=`, `auto_now=` of a field.

        A `DeclarationError` that names what to use. Properties are optional, except
        `RequiredStringProperty` and `RequiredFloatProperty`; a missing one is None.
        """
        for options in ({"default": "x"}, {"null": True}, {"max_length": 30}):
            with pytest.raises(DeclarationError, match=f"StringProperty: {next(iter(options))}=.*"):
                StringProperty(**options)  # type: ignore[arg-type]

    def test_validators(self) -> None:
        """`validators=[...]` of a field, `clean()`.

        A [property type](architecture.md#a-property-type) with a method `validate`; `minimum` and
        `choices` of the existing ones.
        """
        with pytest.raises(PropertyError, match=r"Dataset\.num_rows: expected an integer of"):
            Dataset(name="x", num_rows=-1)

    def test_dumpdata(self, tmp_path: Path) -> None:
        """`dumpdata`, `loaddata`, `flush`, `check`.

        `dump()`, `load()`, `clear()`, `check()` and `verify()`, also as commands.
        """
        before = [node.to_dict() for node in Model.nodes.order_by("uid")]
        dump(tmp_path / "all.jsonl")
        clear()
        load(tmp_path / "all.jsonl")
        assert [node.to_dict() for node in Model.nodes.order_by("uid")] == before

    def test_migrations(self) -> None:
        """`makemigrations`, `migrate`; neomodel's `install_labels`, `install_all_labels`.

        Not needed: the first write installs constraints and indexes; `genai-graph schema check`
        compares them. A new property needs no change of stored nodes; to rename one, write a query.
        """
        assert not schema.check().missing

    def test_merging_options_of_neomodel(self) -> None:
        """`get_or_create(..., merge_by=...)`, `lazy=True`, `relationship=` of neomodel.

        Nodes are matched by uid: `upsert()`, `bulk_get_or_create()`. These options raise
        `UnsupportedError`.
        """
        with pytest.raises(UnsupportedError):
            Model.nodes.bulk_get_or_create({"name": "x"}, lazy=True)

    def test_edges_as_objects(self) -> None:
        """`StructuredRel`: `start_node()`, `end_node()`, `save()`.

        The ends are the same. To change an edge, connect its nodes again; `save()` raises
        `UnsupportedError`.
        """
        model, dataset = Model.nodes.get(uid="xgb@1"), Dataset.upsert(name="new")
        edge = model.trained_on.connect(dataset, {"split": "a"})
        assert (edge.start_node(), edge.end_node()) == (model, dataset)
        with pytest.raises(UnsupportedError):
            edge.save()

    def test_cardinality(self) -> None:
        """`OneToOneField`, `cardinality=One` or `ZeroOrOne` of neomodel.

        `at_most_one=True` of a relationship; a second edge raises `EdgeError`.
        """
        one, other, part = (Experiment(name=name).save() for name in ("one", "other", "part"))
        part.part_of.connect(one)
        with pytest.raises(EdgeError):
            part.part_of.connect(other)

    def test_labels(self) -> None:
        """`node.labels()`, `node.cypher(...)`, `node.refresh()` of neomodel.

        The same.
        """
        node = Model.nodes.get(uid="xgb@1")
        assert node.labels() == ["Model"]
        [[uid]], _ = node.cypher("MATCH (n) WHERE elementId(n) = $self RETURN n.uid")
        assert uid == "xgb@1"
        query("MATCH (m:Model {uid: 'xgb@1'}) SET m.size = 11", write=True)
        node.refresh()
        assert node.size == 11

    def test_asynchronous_methods(self) -> None:
        """`async for`, `aget()`; `AsyncStructuredNode` of neomodel.

        `asyncio.to_thread(Model.nodes.get, ...)`, `aatomic()`, `aquery()` and `aask()`: see
        [transactions and concurrency](concurrency.md#asyncio).
        """

        async def read() -> int:
            node = await asyncio.to_thread(Model.nodes.get, uid="xgb@1")
            rows = await aquery("MATCH (m:Model {uid: $uid}) RETURN m.size AS size", uid=node.uid)
            return int(rows[0]["size"])

        assert asyncio.run(read()) == 10

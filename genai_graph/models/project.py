"""Project: what datasets, models and experiments are grouped by (an experiment of MLflow)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genai_graph.models import identity
from genai_graph.models.base import Node
from genai_graph.models.checking import require
from genai_graph.models.properties import LocationProperty, RequiredStringProperty, StringProperty
from genai_graph.models.relationships import Has, To

if TYPE_CHECKING:
    from genai_graph.models.dataset import Dataset
    from genai_graph.models.experiment import Experiment
    from genai_graph.models.model import Model


class Project(Node):
    """A body of work; its uid is its name."""

    name = RequiredStringProperty(index=True, help_text="what the work is called")
    owner = StringProperty(index=True, help_text="who answers for it")
    url = LocationProperty(help_text="its page")
    license = StringProperty(help_text="what it is published under")

    datasets: To[Dataset] = To("Dataset", "HAS", Has, fan_in=True)
    models: To[Model] = To("Model", "HAS", Has, fan_in=True)
    experiments: To[Experiment] = To("Experiment", "HAS", Has, fan_in=True)

    @classmethod
    def derive_uid(cls, values: Mapping[str, Any]) -> str:
        """Return the name, with ``%`` escaped."""
        require(cls, {"uid": "", **values})
        return identity.escape(values["name"])

    told_by_uid = frozenset({"name"})

    @classmethod
    def read_uid(cls, uid: str) -> dict[str, str]:
        """Return the name."""
        return {"name": identity.unescape(uid)}

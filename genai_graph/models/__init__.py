"""What the graph holds: five kinds of nodes, and the edges between them."""

from genai_graph.models.dataset import Dataset
from genai_graph.models.experiment import Experiment
from genai_graph.models.metric import Metric
from genai_graph.models.model import Model
from genai_graph.models.project import Project
from genai_graph.models.registry import EDGES, INCOMING, NODES, OUTGOING

__all__ = [
    "EDGES",
    "INCOMING",
    "NODES",
    "OUTGOING",
    "Dataset",
    "Experiment",
    "Metric",
    "Model",
    "Project",
]

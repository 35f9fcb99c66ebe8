"""What the graph answers: one .cypher file for each question, and what runs them."""

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph.questions.answer import Answer, ask
from genai_graph.questions.catalog import Parameter, Question, find, names

__all__ = ["Answer", "Parameter", "Question", "ask", "find", "names"]

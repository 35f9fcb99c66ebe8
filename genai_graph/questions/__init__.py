"""What the graph answers: one .cypher file for each question, and what runs them."""

from genai_graph.questions.answer import Answer, ask
from genai_graph.questions.catalog import Parameter, Question, find, names

__all__ = ["Answer", "Parameter", "Question", "ask", "find", "names"]

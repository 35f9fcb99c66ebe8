"""Questions about the graph: one .cypher file for each, and the code that runs them."""

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph.questions.answer import Answer, QuestionRun, aask, ask, statement_parameters
from genai_graph.questions.catalog import (
    get_question,
    list_built_in_questions,
    list_questions,
    read_questions,
)
from genai_graph.questions.question import Parameter, Question

__all__ = [
    "Answer",
    "Parameter",
    "Question",
    "QuestionRun",
    "aask",
    "ask",
    "get_question",
    "list_built_in_questions",
    "list_questions",
    "read_questions",
    "statement_parameters",
]

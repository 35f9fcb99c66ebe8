"""Where the graph lives: settings, connection, transactions, and what differs between engines."""

from genai_graph.database.connection import Connection, connect, current_connection
from genai_graph.database.cypher import clamp_limit, match_uid, quote_name
from genai_graph.database.query_logging import log_queries_to
from genai_graph.database.sandbox import sandbox
from genai_graph.database.transaction import atomic, execute_write, query, retry, run_in_transaction

__all__ = [
    "Connection",
    "atomic",
    "clamp_limit",
    "connect",
    "current_connection",
    "execute_write",
    "log_queries_to",
    "match_uid",
    "query",
    "quote_name",
    "retry",
    "run_in_transaction",
    "sandbox",
]

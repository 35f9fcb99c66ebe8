"""Where the graph lives: settings, connection, transactions, and what differs between engines."""

from genai_graph.database.connection import Connection, connect, current_connection
from genai_graph.database.cypher import clamp_limit, match_uid, quote_name
from genai_graph.database.query_logging import log_queries_to
from genai_graph.database.sandbox import sandbox
from genai_graph.database.transaction import atomic, execute_write, query, retry, run_in_transaction

__all__ = [
    "Connection",
    "clamp_limit",
    "atomic",
    "execute_write",
    "connect",
    "current_connection",
    "run_in_transaction",
    "match_uid",
    "log_queries_to",
    "query",
    "quote_name",
    "retry",
    "sandbox",
]

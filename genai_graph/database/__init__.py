"""Where the graph lives: settings, connection, transactions, and what differs between engines."""

from genai_graph.database.connection import Connection, connect, current, managed_engine
from genai_graph.database.cypher import at_most, match_uid, quote
from genai_graph.database.sandbox import sandbox
from genai_graph.database.statements import printed
from genai_graph.database.transaction import atomic, change, in_transaction, query, retried

__all__ = [
    "Connection",
    "at_most",
    "atomic",
    "change",
    "connect",
    "current",
    "in_transaction",
    "managed_engine",
    "match_uid",
    "printed",
    "query",
    "quote",
    "retried",
    "sandbox",
]

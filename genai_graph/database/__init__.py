"""The database: settings, connection, transactions, and the differences between engines.

The package uses some private API of its dependencies, for lack of a public one. It is pinned by
tests/test_upstream.py:

- neomodel `db._connection`, and the property `_active_transaction` of its class (connection.py):
  the only way to tell neomodel which transaction is open.
- neomodel `sync_.query.UniqueProperty` (error_translation.py): the class of the error that it
  raises in place of the driver's.
- `neo4j.Session._connect` and `_connection`, `Transaction._connection`, `Result._connection` and
  their `server_info` (connection.py), `socket` and `inbox` (driver.py), and
  `neo4j._exceptions.SocketDeadlineExceededError` (error_translation.py): the product that answered,
  and the time limit of a response.
- `_bookmarks` of a bookmark manager (connection.py): a forked process has to wait for them, too.
- `neo4j.Transaction._on_closed` and `_on_cancel` (driver.py): how the driver releases and how it
  closes the connection at the end of a transaction.
- `neo4j.Result._buffer_all`, `Result._obtain_summary`, `Transaction._results` (driver.py): results
  that outlive their transaction.
- `neo4j._addressing.ResolvedAddress` (addresses.py): resolved addresses that keep the name of their
  host, which certificates are checked for.
- neomodel `db._database_version`, `db._database_edition` (connection.py): cached for the process,
  but the next connection may be to another server.
- neomodel `db._NODE_CLASS_REGISTRY` (registry.py) and `sync_._registry.registry.get_class`
  (ogm/resolution.py): nodes with additional labels are read by their registered class.
- `neo4j._codec.packstream.Structure` (values.py): the driver takes 80 microseconds to convert a
  datetime, which is most of the time of a load with timestamps.
- `json.decoder.scanstring` (exchange/formats/json.py): errors need the line of every key.
"""

from genai_graph.database.asynchronous import aatomic, aquery, run_in_worker
from genai_graph.database.connection import Connection, connect, current_connection
from genai_graph.database.cypher import clamp_limit, match_uid, quote_name
from genai_graph.database.query_logging import log_queries_to
from genai_graph.database.sandbox import sandbox
from genai_graph.database.transaction import (
    atomic,
    count_in_transaction,
    execute_write,
    on_commit,
    query,
    retry,
    run_in_transaction,
    stream,
    transaction_block,
)

__all__ = [
    "Connection",
    "aatomic",
    "aquery",
    "atomic",
    "clamp_limit",
    "connect",
    "count_in_transaction",
    "current_connection",
    "execute_write",
    "log_queries_to",
    "match_uid",
    "on_commit",
    "query",
    "quote_name",
    "retry",
    "run_in_transaction",
    "run_in_worker",
    "sandbox",
    "stream",
    "transaction_block",
]

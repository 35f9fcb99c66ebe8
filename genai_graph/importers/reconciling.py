"""Values of existing nodes: an import keeps their origin, and metadata that is not its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from genai_graph.errors import PropertyError
from genai_graph.exchange.formats.records import NodeRecord
from genai_graph.properties.encryption import decrypt_values, encrypt_values
from genai_graph.properties.json_values import encode_json, parse_json


def reconcile_with(
    metadata_keys: Collection[str],
) -> Callable[[NodeRecord, dict[str, Any]], dict[str, Any]]:
    """Return a function of a record and the stored values that returns the values to write.

    `origin` is not written again. In `metadata`, only the keys of the importer are replaced.
    """

    def reconcile(record: NodeRecord, stored: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in record.given.items() if name != "origin"}
        if "metadata" in given and stored.get("metadata") not in (None, given["metadata"]):
            given["metadata"] = _merge_metadata(record, stored, metadata_keys)
        return given

    return reconcile


def _merge_metadata(
    record: NodeRecord, stored: dict[str, Any], metadata_keys: Collection[str]
) -> str | None:
    label, uid = record.label, record.uid
    before = _decode(label, uid, stored["metadata"])
    if before is None:  # unreadable here: overwriting it is refused or checked by the caller
        return str(record.given["metadata"])
    own = _decode(label, uid, record.given["metadata"]) or {}
    kept = {key: value for key, value in before.items() if key not in metadata_keys}
    merged = {**kept, **own}
    if merged == before:
        return str(stored["metadata"])
    if not merged:
        return None
    text = encode_json(merged).decode()
    encrypted = encrypt_values(label, uid, {"uid": uid, "metadata": text})
    return str(encrypted["metadata"])


def _decode(label: str, uid: str, text: Any) -> dict[str, Any] | None:
    """Return stored metadata as a dict, or None if it can't be decrypted or is no map."""
    if text is None:
        return {}
    value = decrypt_values(label, {"uid": uid, "metadata": text})["metadata"]
    try:
        decoded = parse_json(value) if isinstance(value, str) else None
    except PropertyError:
        return None
    return decoded if isinstance(decoded, dict) else None

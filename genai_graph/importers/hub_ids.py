"""Ids of repositories of the Hugging Face Hub, and addresses of their pages."""

from __future__ import annotations

import re

# `gpt2/tree/main` is a page of gpt2, and `spaces/org/x` is no model or dataset.
_PAGE = re.compile(
    r"(?:(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?:api/)?|hf://)(?P<datasets>datasets/)?"
    r"(?!(?:spaces|papers|blog|docs|collections|models|datasets|api)(?:[/?#]|\Z))"
    r"(?P<id>[^/?#@]+(?:/(?!(?:tree|blob|resolve|raw|viewer|discussions|commits?|croissant)"
    r"(?:[/?#]|\Z))[^/?#@]+)?)(?:[/?#@].*)?\Z",
    re.DOTALL,
)
_ID = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}(?:/[A-Za-z0-9_][\w.-]{0,95})?\Z", re.ASCII)
_LOCAL = re.compile(r"[./~]|[A-Za-z]:[\\/]|file:|[^:]*\\|[^:]*/[^:]*/", re.IGNORECASE)
# Directories that programs write models to.
_DIRECTORIES = re.compile(
    r"(?:(?:outputs?|results?|checkpoints?|ckpts?|models?|saved_models?|runs|tmp|none)(?:/|\Z)"
    r"|(?:.*/)?(?:checkpoint|step|epoch)[-_]?[0-9]+\Z)",
    re.IGNORECASE,
)


def hub_id(text: str) -> str:
    """Return the id of a repository, given as an id or as the address of its page."""
    found = _PAGE.match(text.strip())
    return found["id"] if found else text.strip()


def dataset_of_page(address: str) -> str | None:
    """Return the id of a dataset by the address of its page on the Hub, or None."""
    found = _PAGE.match(address.strip())
    return found["id"] if found and found["datasets"] else None


def is_local_path(text: str) -> bool:
    """Return whether a text is a path, such as ``./model``, and no id of a repository."""
    return _LOCAL.match(text) is not None and "://" not in text


def is_hub_id(text: str) -> bool:
    """Return whether a text that may also be a path is very likely the id of a repository."""
    return _ID.match(text) is not None and not _DIRECTORIES.match(text)

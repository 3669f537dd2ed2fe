"""Pages by key, not by offset: a page token says after which row to go on, so rows made or deleted meanwhile shift nothing.

The token is opaque to clients: base64url of a JSON list [fingerprint of the query, last key…]. A token that was made for
another query is refused instead of giving a wrong page. It grants nothing, so it is not signed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pyopenshell.errors import Code, OpenShellError

T = TypeVar("T")

PAGE_SIZE = 100  # AIP-158 leaves it to the service; a screenful and a half of a wide terminal
PAGE_SIZE_MAX = 1000  # larger requests get this many (AIP-158: "should coerce")
PAGE_TOKEN_MAX = 1024  # a key is two names of 63 letters; this is far over what we ever make


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items and the token for the next page, empty at the end."""

    items: tuple[T, ...]
    next_token: str = ""


def check_page_size(size: int) -> int:
    """The size to use for a wire `page_size`: 0 is the default, over the maximum is the maximum. INVALID when negative."""
    if size < 0:
        raise OpenShellError(Code.INVALID, f"page size {size} is negative", hint="use 0 for the default")
    return min(size or PAGE_SIZE, PAGE_SIZE_MAX)


def fingerprint(query: Sequence[str]) -> str:
    """A short name of the query that a page token belongs to."""
    return hashlib.sha256(json.dumps(list(query)).encode()).hexdigest()[:16]


def encode_page_token(query: Sequence[str], key: Sequence[str]) -> str:
    """The token that goes on after `key` in `query`."""
    return base64.urlsafe_b64encode(json.dumps([fingerprint(query), *key]).encode()).decode().rstrip("=")


def decode_page_token(query: Sequence[str], token: str, parts: int) -> tuple[str, ...] | None:
    """The key of `parts` strings in `token`, None for the empty token. Raises INVALID for any other text."""
    if not token:
        return None
    try:
        if len(token) > PAGE_TOKEN_MAX:
            raise ValueError("too long")
        found = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != parts + 1 or not all(isinstance(part, str) for part in found):
        raise OpenShellError(Code.INVALID, "the page token is not one of ours", hint="list again from the first page")
    if found[0] != fingerprint(query):
        raise OpenShellError(
            Code.INVALID, "the page token belongs to another query", hint="keep workspace and selector for all pages"
        )
    return tuple(found[1:])

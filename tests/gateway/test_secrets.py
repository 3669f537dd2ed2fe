from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.gateway.secrets import TokenKind, matches, new_token, token_hash, token_kind
from pyopenshell.text import HIDDEN, redact


@pytest.mark.parametrize("kind", list(TokenKind))
def test_a_token_is_known_by_its_shape_and_hidden_in_logs(kind: TokenKind) -> None:
    token = new_token(kind)
    assert token.startswith(kind.value)
    assert len(token) == (36 if kind is TokenKind.INVITATION else 47)
    assert token_kind(token) is kind
    assert redact(f"x={token}") == f"x={HIDDEN}"


def test_no_two_are_the_same() -> None:
    assert len({new_token(TokenKind.API) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", ["", "ost_", "ost_" + "a" * 42, "ost_" + "a" * 44, "osx_" + "a" * 43, "ost_" + "ä" * 43,
                                  " ost_" + "a" * 43, "ost_" + "a" * 43 + "\n", "OST_" + "a" * 43, "osi_" + "a" * 43,
                                  "osi_" + "A" * 32, "osi_" + "1" * 32])  # fmt: skip
def test_other_shapes_are_no_tokens(text: str) -> None:
    assert token_kind(text) is None


@given(st.text())
def test_any_text_has_a_hash_and_matches_it_alone(text: str) -> None:
    assert matches(text, token_hash(text))
    assert not matches(text + "x", token_hash(text))
    assert token_kind(text) is None


def test_what_is_stored_is_sha256_in_hex() -> None:
    assert token_hash("abc") == hashlib.sha256(b"abc").hexdigest()
    assert token_hash("\udcff")

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.paging import (
    PAGE_SIZE,
    PAGE_SIZE_MAX,
    check_page_size,
    decode_page_token,
    encode_page_token,
    fingerprint,
)


@pytest.mark.parametrize(
    ("asked", "given"), [(0, PAGE_SIZE), (1, 1), (PAGE_SIZE_MAX, PAGE_SIZE_MAX), (PAGE_SIZE_MAX + 1, PAGE_SIZE_MAX)]
)
def test_sizes(asked: int, given: int) -> None:
    assert check_page_size(asked) == given


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(OpenShellError, match="page size -1"):
        check_page_size(-1)


@given(st.lists(st.text()), st.tuples(st.text(max_size=63), st.text(max_size=63)))
def test_round_trip(query, key) -> None:
    token = encode_page_token(query, key)
    if len(token) <= 1024:
        assert decode_page_token(query, token, 2) == key


def test_the_empty_token_is_the_first_page() -> None:
    assert decode_page_token(["q"], "", 2) is None


def raw(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "x", "====", "!!!!", "ä", "A" * 1025, raw({}), raw([]), raw([fingerprint(["q"]), "a"]), raw("abc"), raw([1, 2, 3]),
        raw([fingerprint(["q"]), "a", "b", "c"]), raw([fingerprint(["q"]), "a", None]),
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"[" * 700).decode(),
    ],
)  # fmt: skip
def test_rubbish_is_refused(token: str) -> None:
    with pytest.raises(OpenShellError, match="not one of ours") as caught:
        decode_page_token(["q"], token, 2)
    assert caught.value.code is Code.INVALID


@given(st.text(max_size=200))
def test_no_text_gives_anything_but_an_answer_or_invalid(token: str) -> None:
    try:
        decode_page_token(["q"], token, 2)
    except OpenShellError as error:
        assert error.code is Code.INVALID

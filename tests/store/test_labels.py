from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.labels import SELECTOR_MAX, parse_selector


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("  ", {}),
        ("k=v", {"k": "v"}),
        ("k=v,k2=v2", {"k": "v", "k2": "v2"}),
        (" k=v , x.io/y=1", {"k": "v", "x.io/y": "1"}),
        ("k=", {"k": ""}),
        ("k=v,k=v", {"k": "v"}),
    ],
)
def test_selectors(text: str, pairs: dict[str, str]) -> None:
    assert parse_selector(text) == pairs


@pytest.mark.parametrize(
    "text", ["k", "=v", "k=v,", ",k=v", "k==v", "k!=v", "k=v w", "k=v\n", "k in (a)", 'k"=v', "k=v,k=w"]
)
def test_other_shapes_are_refused(text: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        parse_selector(text)
    assert caught.value.code is Code.INVALID


def test_the_limit() -> None:
    pairs = ",".join(f"k{number}=v" for number in range(1000))
    assert parse_selector(pairs[:4096].rpartition(",")[0])
    with pytest.raises(OpenShellError, match=f"{SELECTOR_MAX}"):
        parse_selector(pairs)


@given(st.text(max_size=100))
def test_any_text_is_pairs_or_invalid(text: str) -> None:
    try:
        parse_selector(text)
    except OpenShellError as error:
        assert error.code is Code.INVALID

"""Lengths and messages, however they are cut."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.framed import MESSAGE_MAX, Unframer, framed


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pieces_of_any_size_give_the_messages(size: int) -> None:
    data = framed(b"one") + framed(b"") + framed(b"three" * 9)
    unframer = Unframer()
    found = [message for at in range(0, len(data), size) for message in unframer.feed(data[at : at + size])]
    assert found == [b"one", b"", b"three" * 9]
    assert unframer.between


def test_an_end_in_a_message_shows() -> None:
    unframer = Unframer()
    assert unframer.feed(framed(b"half")[:-1]) == []
    assert not unframer.between


def test_a_message_over_the_limit_is_refused_by_its_length() -> None:
    with pytest.raises(OpenShellError) as caught:
        Unframer().feed((MESSAGE_MAX + 1).to_bytes(4, "big"))
    assert caught.value.code is Code.BROKEN

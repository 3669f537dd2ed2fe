"""Events are values: equal by content, of one kind only, and not to be changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from pyopenshell.http2 import DataReceived, Drained, ErrorCode, PingAcked, StreamReset


def test_equal_by_kind_and_content() -> None:
    assert Drained(1) == Drained(1) != Drained(2)
    assert Drained(1) != PingAcked(bytes(8))
    assert DataReceived(1, memoryview(b"a"), 1, False) == DataReceived(1, memoryview(b"a"), 1, False)


def test_frozen() -> None:
    event = StreamReset(1, ErrorCode.CANCEL, remote=True)
    with pytest.raises(FrozenInstanceError):
        event.stream_id = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        DataReceived(1, memoryview(b""), 0, True).other = 1  # type: ignore[attr-defined]

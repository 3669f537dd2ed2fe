"""Whose fault: ours can be caught as one kind, the peer's is never among them."""

from __future__ import annotations

import pytest

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.faults import ConnectionFault, Draining, LocalError, StreamFault, StreamGone, TooManyStreams


@pytest.mark.parametrize("kind", [Draining, StreamGone, TooManyStreams])
def test_ours(kind: type[Exception]) -> None:
    assert issubclass(kind, LocalError)


def test_the_peers() -> None:
    connection = ConnectionFault(ErrorCode.PROTOCOL_ERROR, "why")
    stream = StreamFault(3, ErrorCode.CANCEL, "why")
    assert (connection.code, connection.reason, str(connection)) == (ErrorCode.PROTOCOL_ERROR, "why", "why")
    assert (stream.stream_id, stream.code, stream.reason) == (3, ErrorCode.CANCEL, "why")
    assert not isinstance(connection, LocalError) and not isinstance(stream, LocalError)

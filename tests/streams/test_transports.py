from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from pyopenshell.streams import transports
from pyopenshell.streams.contract import Buffer
from pyopenshell.streams.transports import JOIN_BELOW, NOTSENT_LOWAT, error_words, tune, wake, write_all, write_records


class Recorder(asyncio.Transport):
    """What is written, call by call; the socket it was made of."""

    def __init__(self, sock: socket.socket | None = None) -> None:
        super().__init__({"socket": sock})
        self.calls: list[list[bytes]] = []

    def write(self, data: Buffer) -> None:
        self.calls.append([bytes(data)])

    def writelines(self, list_of_data: object) -> None:
        self.calls.append([bytes(piece) for piece in list_of_data])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("version", "gathers"),
    [
        ((3, 11, 9), False),
        ((3, 12, 8), False),
        ((3, 12, 9), True),
        ((3, 13, 1), False),
        ((3, 13, 2), True),
        ((3, 14, 0), True),
    ],
)
def test_buffers_are_handed_over_unjoined_only_where_that_says_stop(
    version: tuple[int, int, int], gathers: bool
) -> None:
    assert transports.gathers(version) is gathers


def test_one_write_for_many_buffers() -> None:
    transport = Recorder()
    write_all(transport, [b"a", memoryview(b"b"), bytearray(b"c")])
    write_all(transport, [b"alone"])
    assert [b"".join(call) for call in transport.calls] == [b"abc", b"alone"]


def test_for_tls_small_neighbours_are_one_record_and_large_ones_are_left_alone() -> None:
    transport = Recorder()
    large = bytes(JOIN_BELOW)
    write_records(transport, [b"h", b"p", large, b"h", b"x", large])
    write_records(transport, [b"h", b"s"])
    assert transport.calls == [[b"hp", large, b"hx", large], [b"hs"]]


def test_tcp_is_tuned() -> None:
    with socket.socket() as sock:
        tune(Recorder(sock))
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == NOTSENT_LOWAT


def test_other_sockets_are_left_alone() -> None:
    one, two = socket.socketpair()
    with one, two:
        tune(Recorder(one))
    tune(Recorder(None))


async def test_wake_takes_what_is_there() -> None:
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    wake(None)
    wake(waiter)
    wake(waiter)
    assert await waiter is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong"), "TLS: "),
        (RuntimeError("closed"), "closed"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_words(error: Exception, words: str) -> None:
    assert error_words(error).startswith(words)


def test_words_for_a_port_without_tls() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    assert error_words(error) == "TLS: what answers there does not speak it"

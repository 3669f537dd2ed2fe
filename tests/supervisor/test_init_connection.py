from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pyopenshell.drivers.messages import Message, pair, receive_message, send_message
from pyopenshell.supervisor.init_connection import BACKLOG_MAX, Connection
from pyopenshell.supervisor.init_loop import Loop


class Bench:
    """A connection whose loop runs until something was heard."""

    def __init__(self) -> None:
        self.peer, mine = pair()
        self.peer.setblocking(False)
        self.loop = Loop(pytest.fail)
        self.heard: list[tuple[Message, list[int]]] = []
        self.lost = 0
        self.connection = Connection(self.loop, mine, self.received, self.gone, may_own=True)

    def received(self, _connection: Connection, message: Message, fds: list[int]) -> None:
        self.heard.append((message, fds))
        self.loop.stop(0)

    def gone(self, _connection: Connection) -> None:
        self.lost += 1
        self.loop.stop(0)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.connection.drop()
    made.peer.close()
    made.loop._selector.close()


def test_a_message_is_heard(bench: Bench) -> None:
    send_message(bench.peer, {"n": 1})
    bench.loop.run()
    assert bench.heard == [({"n": 1}, [])]


def test_descriptors_are_closed_once_sent_or_kept(bench: Bench) -> None:
    given, kept = os.open("/", os.O_PATH), os.open("/", os.O_PATH)
    bench.connection.send({"n": 1}, [given])
    bench.connection.send({"n": 2}, [kept], close=False)
    for _ in range(2):
        got = receive_message(bench.peer)
        assert got is not None
        os.close(got[1][0])
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(given)
    os.close(kept)


def test_the_end_and_rubbish_drop_the_connection_once(bench: Bench) -> None:
    bench.peer.send(b"rubbish")
    bench.loop.run()
    assert (bench.lost, bench.connection.open) == (1, False)
    bench.connection.drop()
    assert bench.lost == 1
    gone = os.open("/", os.O_PATH)
    bench.connection.send({"n": 1}, [gone])
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(gone)


def test_end_of_file_drops_the_connection(bench: Bench) -> None:
    bench.peer.close()
    bench.loop.run()
    assert bench.lost == 1


def test_a_slow_peer_gets_everything_in_order(bench: Bench) -> None:
    for number in range(100):
        bench.connection.send({"n": number})
    got: list[object] = []
    while len(got) < 100:
        try:
            message = receive_message(bench.peer)
        except BlockingIOError:
            bench.connection._ready()  # what the loop calls once the peer has room
            continue
        assert message is not None
        got.append(message[0]["n"])
    assert got == list(range(100))


def test_a_peer_that_never_reads_is_dropped(bench: Bench) -> None:
    fds = []
    for number in range(BACKLOG_MAX + 2000):
        if not bench.connection.open:
            break
        fds.append(os.open("/", os.O_PATH))
        bench.connection.send({"n": number, "pad": "x" * 2000}, [fds[-1]])
    assert bench.lost == 1
    for fd in fds:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fd)


def test_a_gone_peer_is_noticed_by_a_send(bench: Bench) -> None:
    bench.peer.close()
    bench.connection.send({"n": 1})
    assert bench.lost == 1

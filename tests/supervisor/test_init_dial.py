from __future__ import annotations

import errno
import resource
import socket
from collections.abc import Iterator

import pytest

from pyopenshell.supervisor import init_dial
from pyopenshell.supervisor.init_dial import dial, explain
from pyopenshell.supervisor.init_loop import Loop

Answers = list[tuple[socket.socket | None, int]]


def dialled(host: str, port: int) -> tuple[socket.socket | None, int]:
    loop = Loop(pytest.fail)
    answers: Answers = []

    def answer(sock: socket.socket | None, number: int) -> None:
        answers.append((sock, number))
        loop.stop(0)

    dial(loop, host, port, answer)
    loop.run()
    (only,) = answers
    return only


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as made:
        yield made


def test_what_listens_is_reached(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    sock, number = dialled(host, port)
    assert sock is not None
    with sock, listener.accept()[0] as other:
        assert (number, sock.getblocking()) == (0, False)
        assert sock.getsockname() == other.getpeername()


def test_what_does_not_listen_is_refused(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    listener.close()
    assert dialled(host, port) == (None, errno.ECONNREFUSED)


@pytest.mark.parametrize(("host", "port"), [("nonsense", 1), ("127.0.0.1", 70_000)])
def test_nonsense_is_an_error_and_no_name_is_looked_up(monkeypatch: pytest.MonkeyPatch, host: str, port: int) -> None:
    sock, number = dialled(host, port)
    assert sock is None
    assert number != 0


def test_a_full_queue_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init_dial, "DIAL_TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert dialled("127.0.0.1", port) == (None, errno.ETIMEDOUT)


def test_no_descriptor_left_is_an_answer() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    loop = Loop(pytest.fail)
    answers: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        dial(loop, "127.0.0.1", 9, lambda _sock, number: answers.append(number))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answers == [errno.EMFILE]
    loop.stop(0)
    loop.run()


def test_reasons_for_people() -> None:
    assert explain("::1", 80, errno.ECONNREFUSED) == "nothing listens on ::1:80 in the sandbox"
    assert explain("127.0.0.1", 80, errno.ETIMEDOUT) == "127.0.0.1:80 in the sandbox did not answer within 10 s"
    assert explain("127.0.0.1", 80, errno.ENETUNREACH).endswith("cannot be reached: network is unreachable")

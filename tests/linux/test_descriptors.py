"""Descriptors from a peer that lies."""

from __future__ import annotations

import os
import pty
import socket
from collections.abc import Callable, Iterator

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import descriptors

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        yield near, far


def open_count() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_data_and_descriptors_arrive_together_and_close_on_exec(pair: Pair) -> None:
    descriptors.send(pair[0], b"hello", [0, 1, 2])
    data, fds = descriptors.receive(pair[1], 100, 3)
    assert (data, len(fds)) == (b"hello", 3)
    assert not any(os.get_inheritable(fd) for fd in fds)
    descriptors.close_all(fds)


def test_the_end_of_the_channel_is_empty(pair: Pair) -> None:
    pair[0].close()
    assert descriptors.receive(pair[1], 100, 1) == (b"", [])


@pytest.mark.parametrize(("sent", "allowed"), [(1, 0), (2, 1), (3, 2), (4, 1), (253, 2)])
def test_more_descriptors_than_announced_are_an_error_and_none_stays(pair: Pair, sent: int, allowed: int) -> None:
    before = open_count()
    descriptors.send(pair[0], b"x", [0] * sent)
    with pytest.raises(OpenShellError) as caught:
        descriptors.receive(pair[1], 100, allowed)
    assert caught.value.code is Code.BROKEN
    assert open_count() == before


def test_a_message_over_the_limit_is_an_error(pair: Pair) -> None:
    descriptors.send(pair[0], b"x" * 100)
    assert descriptors.receive(pair[1], 100)[0] == b"x" * 100
    descriptors.send(pair[0], b"x" * 101, [0])
    with pytest.raises(OpenShellError, match="more message"):
        descriptors.receive(pair[1], 100, 1)


@pytest.fixture
def kinds() -> Iterator[dict[str, int]]:
    """One descriptor of each kind that a sandbox could throw in."""
    stream, other = socket.socketpair()
    packet, another = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener = socket.create_server(("127.0.0.1", 0))
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
    heard, told = os.pipe()
    master, slave = pty.openpty()
    plain = {
        "file": os.open("/etc/passwd", os.O_RDONLY),
        "directory": os.open("/", os.O_RDONLY),
        "device": os.open("/dev/null", os.O_RDONLY),
        "memfd": os.memfd_create("x"),
    }
    yield {
        "stream": stream.fileno(),
        "packet": packet.fileno(),
        "datagram": datagram.fileno(),
        "listener": listener.fileno(),
        "netlink": netlink.fileno(),
        "pipe": heard,
        "master": master,
        "slave": slave,
        **plain,
    }
    for item in (stream, other, packet, another, datagram, listener, netlink):
        item.close()
    descriptors.close_all([heard, told, master, slave, *plain.values()])


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (descriptors.check_stream_socket, "stream"),
        (descriptors.check_packet_socket, "packet"),
        (descriptors.check_pipe, "pipe"),
        (descriptors.check_pty_master, "master"),
    ],
)
def test_only_the_right_kind_passes_and_all_stay_open(
    kinds: dict[str, int], check: Callable[[int], None], good: str
) -> None:
    check(kinds[good])
    for name, fd in kinds.items():
        if name != good:
            with pytest.raises(OpenShellError, match="is not a"):
                check(fd)
        os.fstat(fd)


def test_a_sealed_memfd_is_read_and_cannot_be_changed() -> None:
    fd = descriptors.sealed_memfd("order", b"abc")
    try:
        assert descriptors.read_sealed(fd, 3) == b"abc"
        with pytest.raises(OSError):
            os.write(fd, b"x")
        with pytest.raises(OSError):
            os.ftruncate(fd, 0)
        with pytest.raises(OpenShellError):
            descriptors.read_sealed(fd, 2)
    finally:
        os.close(fd)


def test_what_is_not_sealed_is_not_read(kinds: dict[str, int]) -> None:
    for name in ("memfd", "file", "pipe", "stream"):
        with pytest.raises(OpenShellError, match="not sealed"):
            descriptors.read_sealed(kinds[name], 100)

"""`openshell forward service`: many connections, half-close both ways, errors that stay where they are."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.support.world import World

pytestmark = pytest.mark.e2e

#: Answers with the SHA-256 of all that came, once the client has said that no more comes.
HASHER = """
import hashlib, socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(hashlib.sha256(self.rfile.read()).hexdigest().encode())
class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
#: Ends its own direction first, then goes on reading, and leaves the count in a file.
FAR_FIRST = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    c, _ = server.accept()
    c.sendall(b"bye")
    c.shutdown(socket.SHUT_WR)
    n = 0
    while got := len(c.recv(65536)):
        n += got
    print(n, flush=True)
"""


@contextlib.contextmanager
def inside(world: World, web: str, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python server inside; its first line is the port."""
    command = ("sandbox", "exec", "-n", web, "--", "/usr/bin/python3", "-c", program)
    process = world.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def forwarded(world: World, web: str, port: int) -> Iterator[tuple[str, int]]:
    """A forward to `port`; yields its local address."""
    command = ("forward", "service", web, "--target-port", str(port))
    process = world.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        host, _, local = process.stdout.readline().decode().split()[1].rpartition(":")
        yield host, int(local)
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def service(world: World, web: str, program: str) -> Iterator[tuple[tuple[str, int], subprocess.Popen[bytes]]]:
    with inside(world, web, program) as server:
        assert server.stdout is not None
        with forwarded(world, web, int(server.stdout.readline())) as address:
            yield address, server


def ask(address: tuple[str, int], data: bytes) -> bytes:
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def test_near_first_half_close_and_whole_bytes(world: World, web: str) -> None:
    data = os.urandom(8_000_000)
    with service(world, web, HASHER) as (address, _):
        assert ask(address, data).decode() == hashlib.sha256(data).hexdigest()


def test_far_first_half_close(world: World, web: str) -> None:
    with service(world, web, FAR_FIRST) as (address, server), socket.create_connection(address, timeout=60) as near:
        assert near.recv(10) == b"bye"
        assert near.recv(10) == b""
        near.sendall(bytes(2_000_000))
        near.shutdown(socket.SHUT_WR)
        assert server.stdout is not None
        assert server.stdout.readline() == b"2000000\n"


def test_many_at_once(world: World, web: str) -> None:
    answers: dict[int, bytes] = {}

    def one(number: int, address: tuple[str, int]) -> None:
        answers[number] = ask(address, bytes([number]) * 100_000)

    with service(world, web, HASHER) as (address, _):
        threads = [threading.Thread(target=one, args=(n, address)) for n in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    expected = {n: hashlib.sha256(bytes([n]) * 100_000).hexdigest().encode() for n in range(100)}
    assert answers == expected


def test_nothing_listening_is_one_connections_error(world: World, web: str) -> None:
    with forwarded(world, web, 9) as address, socket.create_connection(address, timeout=60) as near:
        with contextlib.suppress(ConnectionResetError):
            assert near.recv(10) == b""
        with socket.create_connection(address, timeout=60):
            pass  # the listener is still there


def test_a_busy_port_names_its_holder(world: World, web: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ended = world.run("forward", "service", web, "--target-port", "80", "--local", str(port))
    assert ended.status == 1
    assert str(port) in ended.err
    assert str(os.getpid()) in ended.err


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "169.254.169.254", "::ffff:10.0.0.1", "localhost.evil", "0x7f000001", "example.com"]
)
def test_only_loopback_targets(world: World, web: str, host: str) -> None:
    ended = world.run("forward", "service", web, "--target-port", "80", "--target-host", host)
    assert ended.status == 2
    assert "loopback" in ended.err


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_ports_out_of_range(world: World, web: str, port: str) -> None:
    assert world.run("forward", "service", web, f"--target-port={port}").status == 2

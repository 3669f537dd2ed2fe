from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pyopenshell.streams import FdStream, StreamBroken


async def test_files(tmp_path: Path) -> None:
    source, sink = tmp_path / "in", tmp_path / "out"
    source.write_bytes(bytes(600_000))
    stream = FdStream(os.open(source, os.O_RDONLY), os.open(sink, os.O_WRONLY | os.O_CREAT))
    size = 0
    while chunk := await stream.read():
        size += len(chunk)
        await stream.write(chunk)
    await stream.end()
    await stream.close()
    assert size == 600_000
    assert sink.read_bytes() == source.read_bytes()


async def test_dev_null() -> None:
    stream = FdStream(os.open("/dev/null", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY))
    assert await stream.read() == b""
    await stream.write(b"gone")
    await stream.end()
    await stream.close()


async def test_flags_of_what_is_shared_are_never_changed() -> None:
    read, write = os.pipe()
    shared_read, shared_write = os.dup(read), os.dup(write)
    stream = FdStream(read, write)
    await stream.write(b"x")
    assert await stream.read() == b"x"
    assert os.get_blocking(shared_read)
    assert os.get_blocking(shared_write)
    stream.abort()
    os.close(shared_read)
    os.close(shared_write)


async def test_one_socket_as_both_half_closes() -> None:
    one, two = socket.socketpair()
    fd = one.detach()
    stream = FdStream(fd, fd)
    await stream.write(b"out")
    await stream.end()
    assert two.recv(10) == b"out"
    assert two.recv(10) == b""
    two.sendall(b"in")
    assert await stream.read() == b"in"
    two.close()
    assert await stream.read() == b""
    await stream.close()


async def test_a_reader_that_is_gone_breaks_the_output() -> None:
    read, write = os.pipe()
    null = os.open("/dev/null", os.O_RDONLY)
    stream = FdStream(null, write)
    os.close(read)
    with pytest.raises(StreamBroken, match="Broken pipe"):
        await stream.write(b"x")
    stream.abort()


async def test_what_cannot_be_read_breaks() -> None:
    stream = FdStream(os.open("/", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY))
    with pytest.raises(StreamBroken, match="directory"):
        await stream.read()
    stream.abort()

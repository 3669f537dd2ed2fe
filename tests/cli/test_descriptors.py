"""Ports of a context: duplicated, so that what was given stays open and as it was."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pyopenshell.cli.descriptors import Reader, Writer
from pyopenshell.errors import Code, OpenShellError


async def test_read_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    reader = Reader(descriptor)
    assert await reader.read() == b"abc"
    assert await reader.read() == b""
    reader.close()
    os.close(descriptor)


async def test_what_cannot_be_read_has_ended(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    reader = Reader(descriptor)
    assert await reader.read() == b""
    reader.close()
    os.close(descriptor)


async def test_a_shared_socket_stays_open_for_its_other_holders() -> None:
    ours, theirs = socket.socketpair()
    writer = Writer(theirs.fileno())
    await writer.write(b"from the command")
    writer.close()
    theirs.send(b", and the shell goes on")
    assert ours.recv(100) == b"from the command, and the shell goes on"
    ours.close()
    theirs.close()


async def test_nobody_reads() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = Writer(writing)
    with pytest.raises(BrokenPipeError):
        await writer.write(b"x")
    writer.close()
    os.close(writing)


async def test_a_full_disk() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = Writer(descriptor)
    with pytest.raises(OpenShellError, match="cannot write the output: No space left on device") as caught:
        await writer.write(b"x")
    assert caught.value.code is Code.PRECONDITION
    writer.close()
    os.close(descriptor)


async def test_nowhere_takes_everything() -> None:
    writer = Writer(None)
    await writer.write(b"x" * 1_000_000)
    writer.close()


async def test_flags_of_the_given_descriptor_are_left_alone() -> None:
    reading, writing = os.pipe()
    reader, writer = Reader(reading), Writer(writing)
    await writer.write(memoryview(b"x" * 1000))
    assert await reader.read() == b"x" * 1000
    assert os.get_blocking(reading) and os.get_blocking(writing)
    reader.close()
    writer.close()
    os.close(reading)
    os.close(writing)

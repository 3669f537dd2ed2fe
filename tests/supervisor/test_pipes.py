"""Pipes and terminals without blocking: chunks, ends, lingering, back-pressure."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import termios

import pytest

from pyopenshell.model import TerminalSize
from pyopenshell.supervisor import pipes
from pyopenshell.supervisor.pipes import BURST, CHUNK, PIPE_SIZE, PipeReader, PipeWriter, resize, widen


async def test_bytes_come_and_then_the_end() -> None:
    out, into = os.pipe()
    reader = PipeReader(out)
    waiting = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    os.write(into, b"hello")
    assert await waiting == b"hello"
    os.close(into)
    assert await reader.read() == b""
    reader.close()


async def test_a_full_pipe_is_read_in_chunks() -> None:
    out, into = os.pipe()
    widen(out)
    os.write(into, b"x" * (2 * CHUNK))
    reader = PipeReader(out)
    assert [len(await reader.read()) for _ in range(2)] == [CHUNK, CHUNK]
    os.close(into)
    reader.close()


async def test_a_closed_reader_is_at_the_end() -> None:
    out, into = os.pipe()
    reader = PipeReader(out)
    waiting = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    reader.close()
    reader.close()
    assert await waiting == b""
    assert await reader.read() == b""
    os.close(into)


async def test_a_cancelled_read_loses_nothing() -> None:
    out, into = os.pipe()
    reader = PipeReader(out)
    waiting = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    os.write(into, b"kept")
    assert await reader.read() == b"kept"
    os.close(into)
    reader.close()


async def test_a_busy_pipe_lets_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "BURST", 4)
    out, into = os.pipe()
    os.write(into, b"12345678")
    reader = PipeReader(out, 4)
    turns = []
    asyncio.get_running_loop().call_soon(turns.append, "other")
    assert await reader.read() == b"1234"
    assert turns == []
    assert await reader.read() == b"5678"
    assert turns == ["other"]
    assert BURST >= CHUNK
    os.close(into)
    reader.close()


async def test_a_lingering_reader_ends_when_it_is_quiet() -> None:
    out, into = os.pipe()
    reader = PipeReader(out)
    os.write(into, b"last")
    reader.linger(0.01, 10)
    assert await reader.read() == b"last"
    assert await reader.read() == b""
    os.close(into)
    reader.close()


async def test_one_that_waits_already_lingers_too() -> None:
    out, into = os.pipe()
    reader = PipeReader(out)
    waiting = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    reader.linger(0.01, 10)
    assert await waiting == b""
    os.close(into)
    reader.close()


async def test_lingering_has_an_end_however_much_comes() -> None:
    out, into = os.pipe()
    reader = PipeReader(out)
    reader.linger(10, 0)
    os.write(into, b"more")
    assert await reader.read() == b""
    os.close(into)
    reader.close()


async def test_a_terminal_that_nobody_holds_is_at_the_end() -> None:
    master, slave = pty.openpty()
    os.write(slave, b"x")
    os.close(slave)
    reader = PipeReader(master)
    assert await reader.read() == b"x"
    assert await reader.read() == b""
    reader.close()


async def test_a_full_pipe_holds_the_writer_up() -> None:
    out, into = os.pipe()
    writer = PipeWriter(into)
    data = b"x" * 300_000
    writing = asyncio.create_task(writer.write(data))
    reader = PipeReader(out)
    got = 0
    while got < len(data):
        got += len(await reader.read())
    assert await writing is True
    writer.close()
    assert writer.closed
    assert await reader.read() == b""
    reader.close()


async def test_what_nobody_reads_is_dropped() -> None:
    out, into = os.pipe()
    writer = PipeWriter(into)
    os.close(out)
    assert await writer.write(b"x") is False
    assert await writer.write(b"y") is False
    writer.close()


async def test_a_reader_that_goes_frees_the_writer() -> None:
    out, into = os.pipe()
    writer = PipeWriter(into)
    writing = asyncio.create_task(writer.write(b"x" * 300_000))
    await asyncio.sleep(0)
    os.close(out)
    assert await writing is False


async def test_closing_frees_a_writer_that_waits() -> None:
    out, into = os.pipe()
    writer = PipeWriter(into)
    writing = asyncio.create_task(writer.write(b"x" * 300_000))
    await asyncio.sleep(0)
    writer.close()
    assert await writing is False
    os.close(out)


async def test_a_wrong_descriptor_is_an_error() -> None:
    readable, writable = os.pipe()
    reader, writer = PipeReader(writable), PipeWriter(readable)
    assert await reader.read() == b""  # EBADF: not open for reading
    assert await writer.write(b"x") is False
    reader.close()
    directory = os.open("/", os.O_RDONLY)
    wrong = PipeReader(directory)
    with pytest.raises(IsADirectoryError):
        await wrong.read()
    wrong.close()


def test_the_size_of_a_terminal() -> None:
    master, slave = pty.openpty()
    resize(master, TerminalSize(81, 25))
    assert struct.unpack("HHHH", fcntl.ioctl(slave, termios.TIOCGWINSZ, b"\0" * 8))[:2] == (25, 81)
    os.close(slave)
    os.close(master)
    resize(master, TerminalSize(1, 1))  # gone: ignored


def test_a_pipe_is_widened_and_anything_else_left_alone() -> None:
    out, into = os.pipe()
    widen(out)
    assert fcntl.fcntl(out, fcntl.F_GETPIPE_SZ) == PIPE_SIZE
    os.close(out)
    os.close(into)
    widen(out)

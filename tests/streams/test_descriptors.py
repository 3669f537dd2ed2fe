from __future__ import annotations

import asyncio
import os
import pty
import socket
import threading

import pytest

from pyopenshell.streams.descriptors import reading, writing


async def test_a_terminal_is_opened_anew() -> None:
    master, slave = pty.openpty()
    kept = os.dup(slave)
    port = reading(slave)
    os.write(master, b"typed\n")
    assert await port.read() == b"typed\n"
    out = writing(os.dup(kept))
    assert await out.write(memoryview(b"shown")) == 5
    assert os.get_blocking(kept)
    out.close()
    port.close()
    os.close(kept)
    os.close(master)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_write_that_waits_goes_on_when_there_is_room(kind: str) -> None:
    if kind == "pipe":
        source, sink = os.pipe()
    else:
        source, sink = (end.detach() for end in socket.socketpair())
    port = writing(sink)
    block = memoryview(bytes(65536))

    async def fill() -> int:
        total = 0
        while total < 4_000_000:
            total += await port.write(block)
        return total

    filling = asyncio.create_task(fill())
    reader = reading(source)
    total = 0
    while total < 4_000_000:
        total += len(await reader.read())
    await filling
    port.close()
    reader.close()


async def test_closing_wakes_a_pending_read() -> None:
    read, write = os.pipe()
    port = reading(read)
    pending = asyncio.create_task(port.read())
    await asyncio.sleep(0)
    port.close()
    port.close()
    assert await pending == b""
    os.close(write)


async def test_closing_ends_a_pending_write() -> None:
    read, write = os.pipe()
    port = writing(write)

    async def fill() -> None:
        while True:
            await port.write(memoryview(bytes(65536)))

    pending = asyncio.create_task(fill())
    await asyncio.sleep(0)
    port.close()
    with pytest.raises(BrokenPipeError):
        await pending
    os.close(read)


async def test_where_it_cannot_be_opened_anew_a_thread_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    read, write = os.pipe()
    source, sink = reading(read), writing(write)
    pending = asyncio.create_task(source.read())
    await asyncio.sleep(0)
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    assert await sink.write(memoryview(b"kept")) == 4
    assert await source.read() == b"kept"
    sink.close()
    assert await source.read() == b""
    source.close()


async def test_a_thread_that_is_stuck_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    read, write = os.pipe()
    source = reading(read)
    pending = asyncio.create_task(source.read())
    await asyncio.sleep(0)
    source.close()
    assert await pending == b""
    threads = [thread for thread in threading.enumerate() if thread.name == f"descriptor {read}"]
    os.close(write)  # the thread comes back, and closes the descriptor that it used
    for thread in threads:
        thread.join()

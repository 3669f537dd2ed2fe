"""A real sandbox that has an init and no supervisor: the test is its owner."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.files import SandboxFiles
from pyopenshell.drivers.running import Running, make_init
from pyopenshell.drivers.zygote import Zygote
from pyopenshell.linux.ids import RANGE_FIRST, RANGE_TAKEN, candidates
from pyopenshell.model import ExecSpec, SandboxSpec, TerminalSize, new_id
from pyopenshell.supervisor.init_client import Exit, InitClient, Process, SpawnClient

#: Far from what the other tests' sandboxes take.
BASE = RANGE_FIRST + 1000 * RANGE_TAKEN


class Box:
    """A running init; `connect` makes an owner that is closed with the box."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.clients: list[SpawnClient] = []

    async def connect(self) -> InitClient:
        directory = os.open(self.running.files.run, os.O_PATH | os.O_DIRECTORY)
        try:
            client = await InitClient.connect(directory)
        finally:
            os.close(directory)
        self.clients.append(client)
        return client

    async def spawner(self, owner: InitClient) -> SpawnClient:
        client = SpawnClient(await owner.spawn_socket())
        self.clients.append(client)
        return client


@asynccontextmanager
async def bare_init(root: Path, **spec: object) -> AsyncIterator[Box]:
    """A sandbox of the host's view; every process of it is gone afterwards."""
    ids = candidates(BASE)[0]
    birth = Birth(new_id(), "bare", SandboxSpec(**spec), "", "", "", BASE)  # type: ignore[arg-type]
    files = SandboxFiles.of(root, birth.sandbox_id)
    files.make(ids)
    zygote = Zygote(root / "zygote.log")
    running, _facts = await make_init(zygote, birth, files, ids, "", ())
    box = Box(running)
    try:
        yield box
    finally:
        for client in box.clients:
            client.close()
        await running.end()
        await zygote.gone()


async def output_of(client: SpawnClient, *argv: str, stdin: bytes = b"", **spec: object) -> tuple[bytes, bytes, Exit]:
    """Run a command to its end: standard output (or the terminal's), standard error, exit."""
    process = await client.spawn(ExecSpec(argv, **spec))  # type: ignore[arg-type]
    if process.terminal >= 0:
        out = await asyncio.to_thread(drain, process.terminal)
        return out, b"", await process.wait()
    _, out, err = await asyncio.gather(
        feed(process, stdin),
        asyncio.to_thread(drain, process.stdout),
        asyncio.to_thread(drain, process.stderr),
    )
    return out, err, await process.wait()


async def feed(process: Process, data: bytes) -> None:
    await asyncio.to_thread(_write, process.stdin, data)
    process.end_input()


def _write(fd: int, data: bytes) -> None:
    with os.fdopen(fd, "wb") as pipe:
        pipe.write(data)


def drain(fd: int) -> bytes:
    """Everything until the end, which a terminal tells by EIO (pty(7))."""
    data = b""
    try:
        while piece := os.read(fd, 65536):
            data += piece
    except OSError:
        pass
    finally:
        os.close(fd)
    return data


def discard(*fds: int) -> None:
    for fd in fds:
        if fd >= 0:
            os.close(fd)


TERMINAL = TerminalSize(100, 30)

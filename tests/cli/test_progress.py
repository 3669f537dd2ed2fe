"""Progress: a line on a terminal, nothing anywhere else, gone afterwards."""

from __future__ import annotations

import asyncio
import os
import pty

import pytest

from pyopenshell.cli import progress
from pyopenshell.cli.progress import Progress
from tests.support.command_line import CommandLine


async def test_on_a_terminal(bare: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    master, slave = pty.openpty()
    shown = bytearray()
    async with Progress(bare.context(None, None, slave), "working") as line:
        while b"working" not in shown:
            await asyncio.sleep(0)
            shown += os.read(master, 4096) if _readable(master) else b""
        line.say("more \x1b[2J" + "x" * 100)
        while b"more  [2J" not in shown:
            await asyncio.sleep(0)
            shown += os.read(master, 4096) if _readable(master) else b""
    assert os.read(master, 65536).endswith(b"\r\x1b[K")
    os.close(master)
    os.close(slave)


def _readable(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0)[0])


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}])
async def test_anywhere_else(bare: CommandLine, environ: dict[str, str]) -> None:
    reading, writing = os.pipe()
    async with Progress(bare.context(None, None, writing, environ=environ), "working"):
        await asyncio.sleep(0)
    os.close(writing)
    assert os.read(reading, 100) == b""
    os.close(reading)

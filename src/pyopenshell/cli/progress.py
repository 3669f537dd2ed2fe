"""A line that lives while something is waited for: on standard error, and only where that is a terminal."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from pyopenshell.cli.context import Context
from pyopenshell.cli.output import clean, squeeze

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
INTERVAL = 0.1  # seconds between two frames
LINE_WIDTH = 60


class Progress:
    """`async with Progress(context, "text") as progress: progress.say("more")`; the line is gone afterwards."""

    def __init__(self, context: Context, text: str) -> None:
        self._context = context
        self._text = text
        self._task: asyncio.Task[None] | None = None

    def say(self, text: str) -> None:
        """What is waited for now."""
        self._text = text

    async def __aenter__(self) -> Self:
        if self._context.is_terminal(self._context.stderr) and self._context.environ.get("TERM") != "dumb":
            self._task = asyncio.create_task(self._spin())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._context.err_raw("\r\x1b[K")

    async def _spin(self) -> None:
        number = 0
        while True:
            text = squeeze(clean(self._text), LINE_WIDTH)
            self._context.err_raw(f"\r\x1b[K{FRAMES[number % len(FRAMES)]} {text}")
            number += 1
            await asyncio.sleep(INTERVAL)

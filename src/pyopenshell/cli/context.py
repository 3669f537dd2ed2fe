"""What a command acts on: descriptors, directory, environment, signals. Never `sys.stdout`, `os.environ` or `os.getcwd()`.

A command that knows only this can run in the process that a person started, or in one that was handed the person's
descriptors. The descriptors are shared with others (a shell, a pipeline), so no flag of them is ever changed.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.paths import Paths

if TYPE_CHECKING:
    from pyopenshell.config import ClientConfig

DEFAULT_WIDTH = 80  # columns, where nobody says otherwise (the VT100's)


class Signals(Protocol):
    """Where a command hears of signals."""

    def on(self, number: signal.Signals, act: Callable[[], None]) -> Callable[[], None]:
        """Call `act` in the event loop for each signal `number`; returns what ends that."""


class LoopSignals:
    """Signals of this process, by the running event loop."""

    def on(self, number: signal.Signals, act: Callable[[], None]) -> Callable[[], None]:
        import asyncio

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(number, act)

        def end() -> None:
            loop.remove_signal_handler(number)

        return end


@dataclass
class Context:
    """A command's world. A descriptor is None where it was closed when the command was started.

    `program` is the command line that runs this program again; `gateway` and `token_file` are what the options said.
    """

    stdin: int | None
    stdout: int | None
    stderr: int | None
    cwd: Path
    environ: Mapping[str, str]
    program: tuple[str, ...] = (sys.executable, "-m", "pyopenshell.cli.main")
    signals: Signals = field(default_factory=LoopSignals)
    gateway: str = ""
    token_file: str = ""

    @property
    def paths(self) -> Paths:
        return Paths.of(self.environ)

    @cached_property
    def settings(self) -> ClientConfig:
        """What file and environment say; options come before it. Raises INVALID for an unknown key or a bad value."""
        from pyopenshell.config import load_client

        return load_client(self.environ, file=self.config_file)

    @property
    def config_file(self) -> Path | None:
        """The user's configuration file, where there is one: of this command, and of the gateway that it starts."""
        from pyopenshell.config import USER_FILE

        file = self.paths.config / USER_FILE
        return file if file.exists() else None

    @property
    def chosen_gateway(self) -> str:
        """The gateway that --gateway, the environment or the file names; empty for the selected one."""
        return self.gateway or self.settings.gateway

    def path(self, text: str) -> Path:
        """A path that the user typed, seen from the user's directory."""
        return self.cwd / text

    def is_terminal(self, descriptor: int | None) -> bool:
        return descriptor is not None and os.isatty(descriptor)

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked: both the question and the answer need a terminal."""
        return self.is_terminal(self.stdin) and self.is_terminal(self.stderr)

    @property
    def colour(self) -> bool:
        """Colours on a terminal alone, and never with NO_COLOR (no-color.org) or TERM=dumb."""
        plain = self.environ.get("NO_COLOR") or self.environ.get("TERM") == "dumb"
        return self.is_terminal(self.stdout) and not plain

    @property
    def width(self) -> int | None:
        """Columns that a table may take: COLUMNS where it is exported, else the terminal's; None where a program reads."""
        columns = self.environ.get("COLUMNS", "")
        if columns.isdecimal() and int(columns) > 0:
            return int(columns)
        if not self.is_terminal(self.stdout):
            return None
        try:
            return os.get_terminal_size(self.stdout or 0).columns or DEFAULT_WIDTH
        except OSError:
            return DEFAULT_WIDTH

    def out(self, text: str) -> None:
        """A line (or lines) of result. Raises BrokenPipeError when nobody reads any more; PRECONDITION for a full disk."""
        if self.stdout is None:
            raise OpenShellError(Code.PRECONDITION, "the standard output is closed")
        try:
            write_all(self.stdout, (text + "\n").encode("utf-8", "surrogateescape"))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OpenShellError(Code.PRECONDITION, f"cannot write the standard output: {error.strerror}") from error

    def err(self, text: str) -> None:
        """A line of advice. Where it cannot be written it is dropped: it is never the result."""
        self.err_raw(text + "\n")

    def err_raw(self, text: str) -> None:
        """As `err`, without the end of the line."""
        if self.stderr is None:
            return
        try:
            write_all(self.stderr, text.encode("utf-8", "replace"))
        except OSError:
            pass

    async def ask(self, question: str) -> bool:
        """A question to the person, `no` being the default; Ctrl-C ends the wait. Only where `interactive`."""
        if self.stdin is None or self.stderr is None:
            return False
        from pyopenshell.cli.descriptors import Reader

        write_all(self.stderr, f"{question} [y/N] ".encode())
        reader = Reader(self.stdin)
        try:
            answer = await reader.read()  # a terminal gives one line for one read
        finally:
            reader.close()
        return answer.strip().lower() in (b"y", b"yes")

    @contextmanager
    def hearing(self, *acts: tuple[signal.Signals, Callable[[], None]]) -> Iterator[None]:
        """Hear of these signals for the time of the block."""
        ends = [self.signals.on(number, act) for number, act in acts]
        try:
            yield
        finally:
            for end in ends:
                end()


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write everything. Somebody else may have made the shared description non-blocking: then wait until it takes more."""
    view = memoryview(data)
    while len(view):
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()

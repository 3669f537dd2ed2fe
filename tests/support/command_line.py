"""Commands run in this process with a context of their own: real descriptors, signals that a test sends itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyopenshell.cli.app import run
from pyopenshell.cli.context import Context


@dataclass
class FakeSignals:
    """Signals that a test sends with `send`."""

    acts: dict[signal.Signals, Callable[[], None]] = field(default_factory=dict)

    def on(self, number: signal.Signals, act: Callable[[], None]) -> Callable[[], None]:
        self.acts[number] = act
        return lambda: self.acts.pop(number, None) and None

    def send(self, number: signal.Signals) -> None:
        self.acts[number]()


@dataclass
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


class CommandLine:
    """`await line("sandbox", "list")` runs it with files as standard output and error, and no input."""

    def __init__(self, directory: Path, **environ: str) -> None:
        self.directory = directory
        self.environ = {
            "XDG_CONFIG_HOME": str(directory / "config-home"),
            "XDG_STATE_HOME": str(directory / "state-home"),
            "XDG_RUNTIME_DIR": str(directory / "run"),
            "PATH": os.environ["PATH"],
            "OPENSHELL_TRACEBACK": "1",
        } | environ
        self.signals = FakeSignals()
        self.program = ("/opt/open shell/bin/openshell",)

    async def __call__(self, *argv: str, stdin: bytes | int | None = None, **changes: Any) -> Result:
        out, err = self.directory / "stdout", self.directory / "stderr"
        source = self.directory / "stdin"
        given: int | None = None
        if isinstance(stdin, bytes):
            source.write_bytes(stdin)
            given = os.open(source, os.O_RDONLY)
        elif isinstance(stdin, int):
            given = os.dup(stdin)
        out_fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        err_fd = os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        context = self.context(given, out_fd, err_fd, **changes)
        try:
            code = await run(argv, context)
        finally:
            for descriptor in (context.stdin, context.stdout, context.stderr):  # None: the command gave it away
                if descriptor is not None:
                    os.close(descriptor)
        return Result(code, out.read_text(errors="replace"), err.read_text(errors="replace"))

    def context(self, stdin: int | None, stdout: int | None, stderr: int | None, **changes: Any) -> Context:
        environ = self.environ | changes.pop("environ", {})
        return Context(
            stdin, stdout, stderr, changes.pop("cwd", self.directory), environ, self.program, self.signals, **changes
        )

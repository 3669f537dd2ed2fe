"""Exec over a byte stream: frames of wire/exec_frames.py as calls."""

from __future__ import annotations

from pyopenshell.model import ExecSpec, TerminalSize
from pyopenshell.streams.contract import Buffer, ByteStream
from pyopenshell.wire.exec_frames import Frame
from pyopenshell.wire.openshell.v1.openshell_pb2 import ExecExit


class ExecChannel:
    """Both ends of an exec stream: the near side sends start, stdin, resize, signal; the far side started, stdout, stderr, exit.

    One task receives; any number send (frames are never mixed).
    """

    def __init__(self, stream: ByteStream) -> None: ...

    async def start(self, spec: ExecSpec) -> None:
        """Near: what to run. First frame."""

    async def stdin(self, data: Buffer) -> None:
        """Near: bytes for the command's standard input, any length."""

    async def stdin_end(self) -> None:
        """Near: end of the standard input."""

    async def resize(self, size: TerminalSize) -> None:
        """Near: the terminal has another size."""

    async def signal(self, number: int) -> None:
        """Near: send a signal to the command (1..64)."""

    async def started(self) -> None:
        """Far: the process runs."""

    async def stdout(self, data: Buffer) -> None:
        """Far: bytes of standard output, any length."""

    async def stderr(self, data: Buffer) -> None:
        """Far: bytes of standard error, any length."""

    async def exit(self, how: ExecExit) -> None:
        """Far: last frame; ends this direction."""

    async def receive(self) -> Frame | None:
        """The next frame (data frames may come in pieces), None at the end of the direction. Raises StreamBroken inside a frame."""
        raise NotImplementedError

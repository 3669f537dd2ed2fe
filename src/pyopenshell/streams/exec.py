"""Exec over any byte stream: the frames of wire/exec_frames.py as calls.

Both ends use the same class: the near side sends start, stdin, resize and signal, the far side started, stdout, stderr
and exit. Data of any length is cut into frames, and never copied.
"""

from __future__ import annotations

import asyncio
from collections import deque

from pyopenshell.errors import OpenShellError
from pyopenshell.model import ExecSpec, TerminalSize
from pyopenshell.streams.contract import Buffer, ByteStream, StreamBroken
from pyopenshell.wire.convert import exec_start
from pyopenshell.wire.exec_frames import PAYLOAD_MAX, SIZE, Decoder, Frame, Kind, encode, header
from pyopenshell.wire.openshell.v1.openshell_pb2 import ExecExit


class ExecChannel:
    """One exec stream. One task receives; any number send, and frames are never mixed. All raise as `ByteStream` does."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._decoder = Decoder()
        self._frames: deque[Frame] = deque()
        self._lock = asyncio.Lock()

    async def start(self, spec: ExecSpec) -> None:
        """Near: what to run. First frame."""
        await self._send(encode(Kind.START, exec_start(spec).SerializeToString()))

    async def stdin(self, data: Buffer) -> None:
        """Near: bytes for the command's standard input, any length."""
        await self._data(Kind.STDIN, data)

    async def stdin_end(self) -> None:
        """Near: end of the standard input."""
        await self._send(encode(Kind.STDIN_END))

    async def resize(self, size: TerminalSize) -> None:
        """Near: the terminal has another size."""
        await self._send(encode(Kind.RESIZE, SIZE.pack(size.cols, size.rows)))

    async def signal(self, number: int) -> None:
        """Near: send a signal to the command, 1..64 (signal(7))."""
        await self._send(encode(Kind.SIGNAL, bytes((number,))))

    async def started(self) -> None:
        """Far: the process runs."""
        await self._send(encode(Kind.STARTED))

    async def stdout(self, data: Buffer) -> None:
        """Far: bytes of standard output, any length."""
        await self._data(Kind.STDOUT, data)

    async def stderr(self, data: Buffer) -> None:
        """Far: bytes of standard error, any length."""
        await self._data(Kind.STDERR, data)

    async def exit(self, how: ExecExit) -> None:
        """Far: the last frame; ends this direction."""
        await self._send(encode(Kind.EXIT, how.SerializeToString()))
        await self.stream.end()

    async def receive(self) -> Frame | None:
        """The next frame, data frames in one or more pieces; None at the end of the direction.

        Raises StreamBroken, also for an end inside a frame and for a frame over its limit.
        """
        while not self._frames:
            chunk = await self.stream.read()
            if not chunk:
                if not self._decoder.at_boundary:
                    raise StreamBroken("the exec stream ended inside a frame")
                return None
            try:
                self._frames += self._decoder.feed(chunk)
            except OpenShellError as error:
                raise StreamBroken(error.message) from None
        return self._frames.popleft()

    async def _data(self, kind: Kind, data: Buffer) -> None:
        view = memoryview(data)
        for at in range(0, len(view), PAYLOAD_MAX):
            piece = view[at : at + PAYLOAD_MAX]
            await self._send(header(kind, len(piece)), piece)

    async def _send(self, *buffers: Buffer) -> None:
        async with self._lock:
            await self.stream.write(*buffers)

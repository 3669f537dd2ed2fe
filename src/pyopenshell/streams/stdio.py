"""A stream over two descriptors of any kind: stdin and stdout of a process, a pair of pipes, one socket as both.

What a peer can be told depends on the kind. A pipe's reader cannot tell an abort from an end: both are EOF, so the exit
status of the process has to say it. A file never breaks. Each descriptor is closed with its direction.
"""

from __future__ import annotations

import os

from pyopenshell.streams.contract import Buffer, ByteStream, StreamBroken, StreamBusy, StreamClosed
from pyopenshell.streams.descriptors import reading, writing
from pyopenshell.streams.transports import error_words


class FdStream(ByteStream):
    """Reads `source`, writes `sink`. Both are taken over: pass `os.dup(fd)` of what is to stay open. They may be equal."""

    def __init__(self, source: int, sink: int) -> None:
        if source == sink:
            sink = os.dup(source)
        self._source = reading(source)
        self._sink = writing(sink)
        self._reading = False
        self._writing = False
        self._seen_end = False
        self._end_sent = False
        self._closed = False
        self._why = "the stream is closed"

    async def read(self) -> Buffer:
        if self._reading:
            raise StreamBusy("two tasks read one stream")
        if self._closed:
            raise StreamClosed(self._why)
        if self._seen_end:
            return b""
        self._reading = True
        try:
            chunk = await self._source.read()
        except OSError as error:
            raise StreamBroken(f"cannot read the input: {error_words(error)}") from error
        finally:
            self._reading = False
        if self._closed:
            raise StreamClosed(self._why)
        self._seen_end = not chunk
        return chunk

    async def write(self, *data: Buffer) -> None:
        self._check_writable()
        self._writing = True
        try:
            for buffer in data:
                view = memoryview(buffer)
                while len(view):
                    view = view[await self._sink.write(view) :]
        except OSError as error:
            if self._closed:
                raise StreamClosed(self._why) from None
            raise StreamBroken(f"cannot write the output: {error_words(error)}") from error
        finally:
            self._writing = False

    async def end(self) -> None:
        if self._end_sent and not self._closed:
            return
        self._check_writable()
        self._end_sent = True
        self._sink.close()

    def _check_writable(self) -> None:
        if self._writing:
            raise StreamBusy("two tasks write one stream")
        if self._closed:
            raise StreamClosed(self._why)
        if self._end_sent:
            raise StreamClosed("write after end")

    def abort(self, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            self._why = reason or self._why
            self._source.close()
            self._sink.close()

    async def close(self) -> None:
        self.abort("closed")

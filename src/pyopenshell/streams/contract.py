"""The one byte-stream contract: what every stream of this project promises, and whose fault each error is.

A stream carries bytes both ways; each direction ends by itself (a half-close), and either side can abort. Three errors
say whose fault it is: `StreamBroken` is the world's (reset, connection lost, the call ended with an error status),
`StreamClosed` is ours (we closed or aborted it and then used it), `StreamBusy` is ours too (two tasks read, or two
write, at once). `tests/streams/contract_suite.py` holds every implementation to this page.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pyopenshell.errors import Code, OpenShellError

#: What is read and written. A memoryview is flat: format "B", one dimension, contiguous.
Buffer = bytes | bytearray | memoryview


class StreamBroken(OpenShellError):
    """The world broke the stream: a reset, a lost connection, a call that ended with an error status.

    `reason` says what happened, on which hop, and is fit to be shown; `code` is BROKEN unless the peer gave a better one.
    """

    def __init__(self, reason: str, *, code: Code = Code.BROKEN, hint: str = "") -> None:
        super().__init__(code, reason, hint=hint)

    @property
    def reason(self) -> str:
        """Why the stream broke."""
        return self.message


class StreamClosed(Exception):
    """We used a stream that we had closed, aborted or (for writing) ended."""


class StreamBusy(Exception):
    """Two tasks used the same direction of a stream at the same time."""


class ByteStream(ABC):
    """Bytes both ways with half-close, back-pressure and abort. One reader and one writer at a time.

    Cancelling a `read` loses no byte. A cancelled `write` may have written part: only `abort` is of use afterwards.
    """

    @abstractmethod
    async def read(self) -> Buffer:
        """Return the next chunk of 1 byte or more, or b"" when the peer has ended its direction (and ever after).

        Asking for the next chunk says that the previous one was taken: its flow-control window is given back then. A
        chunk stays valid as long as it is referenced; it is never written to again. Raises StreamBroken, StreamClosed,
        StreamBusy.
        """

    @abstractmethod
    async def write(self, *data: Buffer) -> None:
        """Write all of `data` in order; return when this leg has taken it (its socket, or its send window).

        The buffers must not change afterwards: they are passed on uncopied. Empty buffers are nothing at all. Raises
        StreamBroken, StreamClosed (also after `end`), StreamBusy.
        """

    @abstractmethod
    async def end(self) -> None:
        """Half-close: the peer reads b"" after what was written. Reading goes on. Idempotent.

        Raises StreamBroken, StreamClosed, StreamBusy.
        """

    @abstractmethod
    def abort(self, reason: str = "") -> None:
        """Break the stream at once: unread and unsent bytes are dropped and the peer sees a break, never an end.

        Idempotent, never raises, and does nothing after `close` of a stream that had ended both ways. A pending call of
        ours raises StreamClosed. What a peer can see depends on the medium: RST_STREAM or an error status on HTTP/2, RST
        on TCP; see `sockets.py` and `stdio.py` for what Unix sockets and pipes can tell.
        """

    @abstractmethod
    async def close(self) -> None:
        """Free the stream. Where not both directions have ended it is aborted. Idempotent.

        Raises StreamBroken where the peer's last word is that bytes were not delivered (HTTP/2: a status other than OK).
        """

    def on_break(self, tell: Callable[[], None]) -> None:
        """Have `tell` called once if the world breaks the stream while nobody reads or writes it. Media that cannot
        know do nothing, as here."""
        del tell

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
        else:
            self.abort(f"{type(error).__name__}")

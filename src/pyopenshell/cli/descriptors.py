"""The descriptors of a context as ports: shared with other processes, so duplicated, never flagged, never half-closed."""

from __future__ import annotations

import os

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.contract import Buffer
from pyopenshell.streams.descriptors import Port, reading, writing


class Reader:
    """The bytes of a descriptor, chunk by chunk. A read that never returns holds nobody up."""

    def __init__(self, descriptor: int) -> None:
        self._port = reading(os.dup(descriptor))

    async def read(self) -> bytes:
        """The next bytes, b"" at the end. What cannot be read (a terminal that hung up, a directory) has ended too."""
        try:
            return await self._port.read()
        except OSError:
            return b""

    def close(self) -> None:
        """No more reads."""
        self._port.close()


class Writer:
    """Bytes to a descriptor. None as descriptor takes everything and drops it."""

    def __init__(self, descriptor: int | None) -> None:
        self._port: Port | None = None
        if descriptor is not None:
            self._port = writing(os.dup(descriptor), half_close=False)

    async def write(self, data: Buffer) -> None:
        """Write all of `data`. Raises BrokenPipeError when nobody reads any more; PRECONDITION for a full disk."""
        view = memoryview(data)
        while len(view) and self._port is not None:
            try:
                view = view[await self._port.write(view) :]
            except BrokenPipeError:
                raise
            except OSError as error:
                raise OpenShellError(Code.PRECONDITION, f"cannot write the output: {error.strerror}") from error

    def close(self) -> None:
        """No more writes."""
        if self._port is not None:
            self._port.close()

"""The supervisor itself as a target: what a round trip or a speed test talks to. The sandbox is not touched.

    echo      what comes goes back (RFC 862), until near ends
    discard   what comes is dropped (RFC 863), until near ends; then how many bytes came, 8 bytes big-endian
    generate  `size` bytes go to near (RFC 864), whatever near says; then the end

Echo and discard take PROBE_MAX bytes at most. Echo reads only after it has written: a near that does not read is stopped
by its own windows, as any relay is. The module is imported with the first probe: an idle supervisor does not hold it.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import PROBE_MAX, Outcome, Probe, ProbeTarget
from pyopenshell.streams.contract import ByteStream, StreamBroken, StreamClosed

CHUNK = 64 * 1024  # bytes of one write: what a bulk stream sends before the next has its turn
COUNT = struct.Struct(">Q")  # the answer of DISCARD


async def serve_probe(near: ByteStream, target: ProbeTarget, limit: int = PROBE_MAX) -> Outcome:
    """Serve one probe to its end and close `near`. Raises nothing of its own; cancelled, it aborts."""
    try:
        match target.service:
            case Probe.ECHO:
                await _echo(near, limit)
            case Probe.DISCARD:
                await _discard(near, limit)
            case Probe.GENERATE:
                await _generate(near, target.size, limit)
        await near.close()
    except (OpenShellError, StreamClosed) as error:
        near.abort(str(error))
        return Outcome.BROKEN_NEAR
    except BaseException:
        near.abort("the probe was cancelled")
        raise
    return Outcome.COMPLETED


async def _echo(near: ByteStream, limit: int) -> None:
    taken = 0
    while chunk := await near.read():
        taken = _within(taken + len(chunk), limit)
        await near.write(chunk)
    await near.end()


async def _discard(near: ByteStream, limit: int) -> None:
    await near.write(COUNT.pack(await _count(near, limit)))
    await near.end()


async def _count(near: ByteStream, limit: int) -> int:
    taken = 0
    while chunk := await near.read():
        taken = _within(taken + len(chunk), limit)
    return taken


async def _generate(near: ByteStream, size: int, limit: int) -> None:
    """Write and read at once: near ends its direction when it likes, and a near that is gone is noticed."""
    reading = asyncio.create_task(_count(near, limit))
    try:
        zeros = bytes(min(CHUNK, size))
        left = size
        while left:
            await near.write(zeros if left >= len(zeros) else zeros[:left])
            left -= min(left, len(zeros))
        await near.end()
        await reading
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, OpenShellError, StreamClosed):
            await reading


def _within(taken: int, limit: int) -> int:
    if taken > limit:
        raise StreamBroken(f"a probe takes {limit} bytes at most", code=Code.EXHAUSTED)
    return taken

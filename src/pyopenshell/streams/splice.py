"""The one splice: bytes both ways between two streams; half-closes passed on, an abort of one leg an abort of the other.

Two pumps run, one for each direction: read from one leg, write to the other, `end` it at the end of the direction. A leg
that breaks while its pump waits for the other leg tells so itself (`on_break`); what it had received still has
BREAK_GRACE seconds to be delivered. The splice owns both legs from the call on: when it returns, or is cancelled, both
are closed or aborted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from pyopenshell.errors import OpenShellError
from pyopenshell.model import Outcome
from pyopenshell.streams.contract import ByteStream, StreamClosed

#: Seconds for the other leg to take what was received before a break: a healthy one needs none of it.
BREAK_GRACE = 1.0


@dataclass(slots=True)
class Tally:
    """Live counts of a splice: bytes taken by the far leg and by the near leg.

    After a break: `reason`, and `undelivered`, the bytes read from near that far did not take.
    """

    far: int = 0
    near: int = 0
    reason: str = ""
    undelivered: int = 0


class _LegError(Exception):
    """A leg failed: which one, and how."""

    def __init__(self, outcome: Outcome, error: Exception) -> None:
        super().__init__(str(error))
        self.outcome = outcome
        self.reason = error.message if isinstance(error, OpenShellError) else str(error)


async def splice(near: ByteStream, far: ByteStream, tally: Tally) -> Outcome:
    """Join `near` and `far` until both directions have ended, or one leg breaks.

    Returns COMPLETED, BROKEN_NEAR or BROKEN_FAR, named after the leg that broke first, with `tally.reason` set. A
    cancelled splice aborts both legs. Raises nothing of its own.
    """
    to_far = asyncio.ensure_future(_pump(near, far, tally, to_far=True))
    to_near = asyncio.ensure_future(_pump(far, near, tally, to_far=False))
    both = asyncio.gather(to_far, to_near)
    loop = asyncio.get_running_loop()
    gave_up: list[Outcome] = []
    timers: list[asyncio.TimerHandle] = []

    def broke(outcome: Outcome) -> None:
        timers.append(loop.call_later(BREAK_GRACE, give_up, outcome))

    def give_up(outcome: Outcome) -> None:
        gave_up.append(outcome)
        both.cancel()

    near.on_break(lambda: broke(Outcome.BROKEN_NEAR))
    far.on_break(lambda: broke(Outcome.BROKEN_FAR))
    try:
        await _whole(both, near, far, gave_up)
    except _LegError as failure:
        tally.reason = failure.reason
        lost = f"{tally.undelivered} bytes not delivered: " if tally.undelivered else ""
        near.abort(lost + failure.reason)
        far.abort(failure.reason)
        return failure.outcome
    except BaseException:
        near.abort("the relay was cancelled")
        far.abort("the relay was cancelled")
        raise
    else:
        return Outcome.COMPLETED
    finally:
        for timer in timers:
            timer.cancel()
        to_far.cancel()
        to_near.cancel()
        await asyncio.gather(to_far, to_near, return_exceptions=True)


async def _whole(both: Awaitable[object], near: ByteStream, far: ByteStream, gave_up: list[Outcome]) -> None:
    """Both pumps to their end, then both legs closed: far first, so that its last word can still become near's status."""
    try:
        await both
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if gave_up and (task is None or not task.cancelling()):
            raise _LegError(gave_up[0], StreamClosed("the connection was lost")) from None
        raise
    for leg, outcome in ((far, Outcome.BROKEN_FAR), (near, Outcome.BROKEN_NEAR)):
        try:
            await leg.close()
        except (OpenShellError, StreamClosed) as error:
            raise _LegError(outcome, error) from error


async def _pump(source: ByteStream, sink: ByteStream, tally: Tally, *, to_far: bool) -> None:
    """One direction, until its end. Raises _LegError that names the leg."""
    source_fails, sink_fails = Outcome.BROKEN_FAR, Outcome.BROKEN_NEAR
    if to_far:
        source_fails, sink_fails = sink_fails, source_fails
    while True:
        try:
            chunk = await source.read()
        except (OpenShellError, StreamClosed) as error:
            raise _LegError(source_fails, error) from error
        try:
            if not chunk:
                await sink.end()
                return
            await sink.write(chunk)
        except (OpenShellError, StreamClosed) as error:
            if to_far:
                tally.undelivered += len(chunk)
            raise _LegError(sink_fails, error) from error
        if to_far:
            tally.far += len(chunk)
        else:
            tally.near += len(chunk)

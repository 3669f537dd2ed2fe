"""The one splice: bytes both ways between two streams, half-closes passed on, an abort of one leg made an abort of the other.

Two pumps run, one for each direction: read from one leg, write to the other, `end` it at the end of the direction. The
splice owns both legs from the call on: when it returns (or is cancelled) both are closed or aborted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pyopenshell.errors import OpenShellError
from pyopenshell.model import Outcome
from pyopenshell.streams.contract import ByteStream, StreamBroken, StreamClosed


@dataclass(slots=True)
class Tally:
    """Live counts of a splice: bytes taken by the far leg and by the near leg; after it, why it broke and what was lost."""

    far: int = 0
    near: int = 0
    reason: str = ""
    undelivered: int = 0


class _LegError(Exception):
    """A leg failed: which one, and how."""

    def __init__(self, outcome: Outcome, error: Exception) -> None:
        super().__init__(str(error))
        self.outcome = outcome
        self.error = error


async def splice(near: ByteStream, far: ByteStream, tally: Tally) -> Outcome:
    """Join `near` and `far` until both directions have ended, or one leg breaks.

    Returns COMPLETED, BROKEN_NEAR or BROKEN_FAR, named after the leg that broke first, with `tally.reason` set. A
    cancelled splice aborts both legs. Both legs are closed or aborted when it returns. Raises nothing of its own.
    """
    pumps = [
        asyncio.ensure_future(_to_far(near, far, tally)),
        asyncio.ensure_future(_to_near(near, far, tally)),
    ]
    try:
        await asyncio.gather(*pumps)
        await _finish(near, far)
    except _LegError as failure:
        tally.reason = tally.reason or _reason(failure.error)
        text = f"{tally.undelivered} bytes not delivered: {tally.reason}" if tally.undelivered else tally.reason
        near.abort(text)
        far.abort(text)
        return failure.outcome
    except BaseException:
        near.abort("the relay was cancelled")
        far.abort("the relay was cancelled")
        raise
    else:
        return Outcome.COMPLETED
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _to_far(near: ByteStream, far: ByteStream, tally: Tally) -> None:
    while True:
        try:
            chunk = await near.read()
        except (OpenShellError, StreamClosed) as error:
            raise _LegError(Outcome.BROKEN_NEAR, error) from error
        try:
            if not chunk:
                await far.end()
                return
            await far.write(chunk)
        except (OpenShellError, StreamClosed) as error:
            tally.undelivered += len(chunk)
            raise _LegError(Outcome.BROKEN_FAR, error) from error
        tally.far += len(chunk)


async def _to_near(near: ByteStream, far: ByteStream, tally: Tally) -> None:
    while True:
        try:
            chunk = await far.read()
        except (OpenShellError, StreamClosed) as error:
            raise _LegError(Outcome.BROKEN_FAR, error) from error
        try:
            if not chunk:
                await near.end()
                return
            await near.write(chunk)
        except (OpenShellError, StreamClosed) as error:
            raise _LegError(Outcome.BROKEN_NEAR, error) from error
        tally.near += len(chunk)


async def _finish(near: ByteStream, far: ByteStream) -> None:
    """Close both; the far leg first, so that its last word can still become the near leg's status."""
    for leg, outcome in ((far, Outcome.BROKEN_FAR), (near, Outcome.BROKEN_NEAR)):
        try:
            await leg.close()
        except OpenShellError as error:
            raise _LegError(outcome, error) from error


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, StreamBroken) else str(error)

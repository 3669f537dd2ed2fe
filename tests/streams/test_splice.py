"""The splice on streams in memory, also on streams that break at every step: nothing hangs, both legs are over after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pyopenshell.model import Outcome
from pyopenshell.streams import Buffer, ByteStream, StreamBroken, StreamClosed, Tally, pair, splice


class Failing(ByteStream):
    """A stream whose operation number `at` (from 0) fails; it counts them."""

    def __init__(self, inner: ByteStream, at: int = -1) -> None:
        self.inner = inner
        self.at = at
        self.count = 0
        self.aborted: str | None = None
        self.closed = False
        self.tell: Callable[[], None] | None = None

    def step(self) -> None:
        self.count += 1
        if self.count == self.at + 1:
            self.inner.abort("step")
            raise StreamBroken(f"step {self.at}")

    async def read(self) -> Buffer:
        self.step()
        return await self.inner.read()

    async def write(self, *data: Buffer) -> None:
        self.step()
        await self.inner.write(*data)

    async def end(self) -> None:
        self.step()
        await self.inner.end()

    def abort(self, reason: str = "") -> None:
        self.aborted = reason
        self.inner.abort(reason)

    async def close(self) -> None:
        self.step()
        self.closed = True
        await self.inner.close()

    def on_break(self, tell: Callable[[], None]) -> None:
        self.tell = tell


class Bench:
    """user - near ... far - service, with a splice in the middle."""

    def __init__(self, near_fails: int = -1, far_fails: int = -1) -> None:
        self.user, near = pair()
        far, self.service = pair()
        self.near, self.far = Failing(near, near_fails), Failing(far, far_fails)
        self.tally = Tally()

    def start(self) -> asyncio.Task[Outcome]:
        return asyncio.create_task(splice(self.near, self.far, self.tally))


async def drain(stream: ByteStream) -> bytes:
    got = b""
    while chunk := await stream.read():
        got += chunk
    return got


async def use(stream: ByteStream, say: bytes, first: bool) -> bytes:
    """One peer's part of a conversation; `first` ends before it reads."""
    if first:
        await stream.write(say)
        await stream.end()
        got = await drain(stream)
    else:
        got = await drain(stream)
        await stream.write(say)
        await stream.end()
    await stream.close()
    return got


@pytest.mark.parametrize("near_first", [True, False])
async def test_half_closes_pass_in_either_order(near_first: bool) -> None:
    bench = Bench()
    task = bench.start()
    got = await asyncio.gather(
        use(bench.user, b"question", near_first), use(bench.service, b"the answer", not near_first)
    )
    assert got == [b"the answer", b"question"]
    assert await task is Outcome.COMPLETED
    assert (bench.tally.far, bench.tally.near, bench.tally.reason) == (8, 10, "")
    assert bench.near.closed
    assert bench.far.closed


@pytest.mark.parametrize("side", ["near", "far"])
async def test_an_abort_of_one_leg_is_an_abort_of_the_other(side: str) -> None:
    bench = Bench()
    task = bench.start()
    peer, other = (bench.user, bench.service) if side == "near" else (bench.service, bench.user)
    await peer.write(b"x")
    assert await other.read() == b"x"
    peer.abort("went away")
    with pytest.raises(StreamBroken):
        await other.read()
    assert await task is (Outcome.BROKEN_NEAR if side == "near" else Outcome.BROKEN_FAR)
    assert bench.tally.reason == "went away"
    assert bench.near.aborted is not None
    assert bench.far.aborted is not None


@pytest.mark.parametrize("side", ["near", "far"])
@pytest.mark.parametrize("at", range(9))
async def test_breaking_at_every_step_ends_all(side: str, at: int) -> None:
    bench = Bench(**{f"{side}_fails": at})
    task = bench.start()
    users = [
        asyncio.create_task(use(bench.user, b"question", True)),
        asyncio.create_task(use(bench.service, b"the answer", False)),
    ]
    async with asyncio.timeout(5):
        outcome = await task
        results = await asyncio.gather(*users, return_exceptions=True)
    failing = bench.near if side == "near" else bench.far
    if failing.count > at:
        assert outcome is (Outcome.BROKEN_NEAR if side == "near" else Outcome.BROKEN_FAR)
        assert bench.tally.reason == f"step {at}"
        assert bench.near.aborted is not None
        assert bench.far.aborted is not None
    else:
        assert outcome is Outcome.COMPLETED
        assert results == [b"the answer", b"question"]


async def test_what_was_not_delivered_is_counted_and_told_to_near() -> None:
    bench = Bench(far_fails=0)  # its first write
    await bench.user.write(b"12345")
    task = bench.start()
    assert await task is Outcome.BROKEN_FAR
    assert bench.tally.undelivered == 5
    assert bench.near.aborted == "5 bytes not delivered: step 0"
    assert bench.far.aborted == "step 0"


async def test_a_cancelled_splice_aborts_both() -> None:
    bench = Bench()
    task = bench.start()
    await bench.user.write(b"x")
    await bench.service.read()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for peer in (bench.user, bench.service):
        with pytest.raises(StreamBroken, match="cancelled"):
            await peer.read()


async def test_a_leg_closed_by_its_owner_breaks_the_relay() -> None:
    bench = Bench()
    task = bench.start()
    await asyncio.sleep(0)
    bench.far.inner.abort("ours")
    assert await task is Outcome.BROKEN_FAR
    with pytest.raises(StreamClosed):
        await bench.far.read()


@pytest.mark.parametrize("side", ["near", "far"])
async def test_a_break_is_noticed_while_the_other_leg_takes_nothing(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(splice.__globals__, "BREAK_GRACE", 0.0)
    bench = Bench()
    task = bench.start()
    peer = bench.user if side == "near" else bench.service
    writing = asyncio.create_task(peer.write(bytes(1024 * 1024)))  # nobody reads it at the other end
    await asyncio.sleep(0)
    leg = bench.near if side == "near" else bench.far
    assert leg.tell is not None
    leg.tell()
    assert await task is (Outcome.BROKEN_NEAR if side == "near" else Outcome.BROKEN_FAR)
    assert "lost" in bench.tally.reason
    with pytest.raises(StreamBroken):
        await writing


async def test_a_break_leaves_time_to_deliver_what_came_before() -> None:
    bench = Bench()
    task = bench.start()
    await bench.user.write(b"last words")
    await asyncio.sleep(0)
    assert bench.near.tell is not None
    bench.near.tell()
    assert await bench.service.read() == b"last words"
    await bench.user.end()
    await bench.service.end()
    assert await drain(bench.service) == b""
    assert await drain(bench.user) == b""
    assert await task is Outcome.COMPLETED


async def test_counts_are_live() -> None:
    bench = Bench()
    task = bench.start()
    await bench.user.write(b"abc")
    await bench.service.read()
    await bench.service.write(b"de")
    await bench.user.read()
    assert (bench.tally.far, bench.tally.near) == (3, 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

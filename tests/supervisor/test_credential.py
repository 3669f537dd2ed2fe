"""A token that is made new in time, on a clock of this test's own."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import Call, Channel, Endpoint, GrpcServer, unary
from pyopenshell.supervisor.credential import (
    LOOK_INTERVAL,
    REFRESH_TOKEN,
    RETRY_FIRST,
    RETRY_MAX,
    Credential,
    half_life,
)
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

WEEK = 7 * 24 * 3600.0


def jwt(issued: float, ends: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"iat": issued, "exp": ends}).encode()).rstrip(b"=").decode()
    return f"e30.{claims}.c2ln"


class Clock:
    """Sleeping moves it; it stands still at `until`."""

    def __init__(self, until: float) -> None:
        self.now = 0.0
        self.until = until
        self.slept: list[float] = []
        self.there = asyncio.Event()

    def wall(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.now + seconds > self.until:
            self.there.set()
            await asyncio.Event().wait()
        self.now += seconds
        await asyncio.sleep(0)


class Gateway:
    """Answers RefreshSandboxToken alone."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked: list[tuple[float, str]] = []
        self.refusals = 0
        self.empty = 0

    async def refresh(self, _request: pb.RefreshSandboxTokenRequest, call: Call) -> pb.RefreshSandboxTokenResponse:
        self.asked.append((self.clock.now, str(call.metadata["authorization"])))
        if self.refusals:
            self.refusals -= 1
            raise OpenShellError(Code.UNAVAILABLE, "the database is locked")
        if self.empty:
            self.empty -= 1
            return pb.RefreshSandboxTokenResponse()
        answer = pb.RefreshSandboxTokenResponse(sandbox_token=f"new-{len(self.asked)}")
        answer.sandbox_expiration_time.seconds = int(self.clock.now + WEEK)
        return answer


@pytest.fixture
def clock() -> Clock:
    return Clock(until=WEEK * 0.9)


@pytest.fixture
def gateway(clock: Clock) -> Gateway:
    return Gateway(clock)


@pytest.fixture
async def channel(tmp_path: Path, gateway: Gateway) -> AsyncIterator[Channel]:
    server = GrpcServer({REFRESH_TOKEN: unary(pb.RefreshSandboxTokenRequest, gateway.refresh)})
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    await server.serve(listener)
    opened = await Channel.connect(Endpoint(unix=str(tmp_path / "s")))
    yield opened
    await opened.close()
    await server.close()


async def keep(credential: Credential, channel: Channel, clock: Clock) -> None:
    """Let it work until the clock stands still."""
    task = asyncio.create_task(credential(channel))
    await clock.there.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_is_made_new_at_half_of_its_life_and_used_from_then_on(
    channel: Channel, gateway: Gateway, clock: Clock
) -> None:
    token = jwt(0, WEEK)
    credential = Credential(token, wall=clock.wall, sleep=clock.sleep)
    assert list(credential) == [("authorization", f"Bearer {token}")]
    await keep(credential, channel, clock)
    assert gateway.asked[0] == (WEEK / 2, f"Bearer {token}")
    assert list(credential) == [("authorization", "Bearer new-1")]
    assert max(clock.slept) == LOOK_INTERVAL
    clock.until, clock.there = 1.2 * WEEK, asyncio.Event()
    await keep(credential, channel, clock)
    assert gateway.asked[1] == (WEEK, "Bearer new-1")


async def test_a_refused_refresh_is_tried_again_later_and_later(
    channel: Channel, gateway: Gateway, clock: Clock
) -> None:
    gateway.refusals, gateway.empty = 12, 1
    credential = Credential(jwt(0, WEEK), wall=clock.wall, sleep=clock.sleep)
    await keep(credential, channel, clock)
    times = [now for now, _ in gateway.asked]
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert pauses[:13] == [min(RETRY_FIRST * 2**n, RETRY_MAX) for n in range(13)]
    assert list(credential) == [("authorization", "Bearer new-14")]


async def test_what_cannot_be_read_is_replaced_at_once(channel: Channel, gateway: Gateway, clock: Clock) -> None:
    credential = Credential("opaque", wall=clock.wall, sleep=clock.sleep)
    await keep(credential, channel, clock)
    assert gateway.asked[0] == (0.0, "Bearer opaque")


@pytest.mark.parametrize("token", ["", "a.b", "a.!.c", "a.bnVsbA.c", jwt(0, 0).replace(".", ""), "a.e30.c"])
def test_half_of_no_life(token: str) -> None:
    assert half_life(token) == 0.0


def test_its_text_hides_it() -> None:
    assert "secret" not in repr(Credential("secret"))
    assert half_life(jwt(100, 300)) == 200.0

"""Round trips and speeds over a real stream, by a clock of the test's own; and each way that they fail."""

from __future__ import annotations

import itertools

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Probe
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.probes import CHUNK, PAYLOAD, RoundTrips, Speed, Way, echo, measure
from pyopenshell.streams import StreamBroken
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support import client_gateway
from tests.support.client_gateway import FakeGateway


def ticks(step: float = 1.0):
    """A clock that goes on by `step` each time it is asked."""
    return itertools.count(0.0, step).__next__


async def test_round_trips(client: Client, gateway: FakeGateway) -> None:
    async with echo(client.connection, "web", ticks()) as link:
        assert link.opened == 1
        assert [await link.once() for _ in range(300)] == [1.0] * 300
    assert len(gateway.inits) == 1
    assert gateway.inits[0].by_identity
    assert gateway.inits[0].probe.service == pb.ProbeTarget.SERVICE_ECHO


async def test_another_word_comes_back(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(stream, target):
        await stream.read()
        await stream.write(bytes(PAYLOAD))

    monkeypatch.setattr(client_gateway, "serve_probe", serve)
    async with echo(client.connection, "web") as link:
        with pytest.raises(OpenShellError, match="not what was sent") as wrong:
            await link.once()
    assert wrong.value.code is Code.BROKEN


async def test_an_echo_that_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(stream, target):
        await stream.end()
        await stream.read()

    monkeypatch.setattr(client_gateway, "serve_probe", serve)
    async with echo(client.connection, "web") as link:
        with pytest.raises(StreamBroken, match="ended the echo"):
            await link.once()


async def test_a_gateway_that_dies(client: Client, gateway: FakeGateway) -> None:
    async with echo(client.connection, "web") as link:
        await link.once()
        await gateway.cut()
        with pytest.raises(StreamBroken):
            await link.once()


async def test_a_refusal(client: Client, gateway: FakeGateway) -> None:
    gateway.refuse["ForwardTcp"] = OpenShellError(Code.PRECONDITION, "it is stopped")
    with pytest.raises(StreamBroken, match="it is stopped") as refused:
        async with echo(client.connection, "web"):
            pass
    assert refused.value.code is Code.PRECONDITION


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("size", [1, CHUNK, 3 * CHUNK + 7])
async def test_a_speed_by_bytes(client: Client, way: Way, size: int) -> None:
    speed = await measure(client.connection, "web", way, size=size, clock=ticks())
    assert (speed.way, speed.size) == (way, size)
    assert speed.seconds > 0


@pytest.mark.parametrize("way", list(Way))
async def test_a_speed_by_seconds(client: Client, way: Way) -> None:
    speed = await measure(client.connection, "web", way, seconds=20, clock=ticks())
    assert speed.size > 0
    assert speed.seconds >= 20


@pytest.mark.parametrize(("way", "said"), [(Way.DOWN, "0 of 9 bytes"), (Way.UP, "does not have the 9 bytes")])
async def test_bytes_that_are_missing(client: Client, monkeypatch: pytest.MonkeyPatch, way: Way, said: str) -> None:
    async def serve(stream, target):
        while target.service is Probe.DISCARD and await stream.read():
            continue
        await stream.end()

    monkeypatch.setattr(client_gateway, "serve_probe", serve)
    with pytest.raises(OpenShellError, match=said) as missing:
        await measure(client.connection, "web", way, size=9)
    assert missing.value.code is Code.BROKEN


def test_the_figures_of_round_trips() -> None:
    some = RoundTrips(8, [4.0, 1.0, 3.0, 2.0])
    assert (some.loss, some.quantile(0), some.quantile(0.5), some.quantile(0.99)) == (0.5, 1.0, 2.0, 4.0)
    none = RoundTrips(3, [])
    assert (none.loss, none.quantile(0.5)) == (1.0, None)
    assert RoundTrips(0, []).loss == 0


def test_bytes_per_second() -> None:
    assert Speed(Way.UP, 10, 2).bytes_per_second == 5
    assert Speed(Way.UP, 10, 0).bytes_per_second == 0

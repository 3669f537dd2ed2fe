"""The supervisor's own services: each to its end, each bound, each with a near that goes away."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.model import Outcome, Probe, ProbeTarget
from pyopenshell.streams import ByteStream, StreamBroken, pair
from pyopenshell.supervisor.probe import CHUNK, COUNT, serve_probe


async def everything(stream: ByteStream) -> bytes:
    found = bytearray()
    while chunk := await stream.read():
        found += chunk
    return bytes(found)


async def test_an_echo() -> None:
    near, lent = pair()
    serving = asyncio.create_task(serve_probe(lent, ProbeTarget(Probe.ECHO)))
    for word in (b"hello", b"there"):
        await near.write(word)
        assert bytes(await near.read()) == word
    await near.end()
    assert await near.read() == b""
    assert await serving is Outcome.COMPLETED


async def test_discard_says_how_much_came() -> None:
    near, lent = pair()
    serving = asyncio.create_task(serve_probe(lent, ProbeTarget(Probe.DISCARD)))
    await near.write(bytes(1000))
    await near.write(bytes(234))
    await near.end()
    assert COUNT.unpack(await everything(near)) == (1234,)
    assert await serving is Outcome.COMPLETED


@pytest.mark.parametrize("size", [0, 1, CHUNK, 2 * CHUNK + 1])
async def test_generate_makes_what_was_asked(size: int) -> None:
    near, lent = pair()
    serving = asyncio.create_task(serve_probe(lent, ProbeTarget(Probe.GENERATE, size)))
    assert len(await everything(near)) == size
    await near.end()
    assert await serving is Outcome.COMPLETED


@pytest.mark.parametrize("service", [Probe.ECHO, Probe.DISCARD])
async def test_more_than_a_probe_takes(service: Probe) -> None:
    near, lent = pair()
    serving = asyncio.create_task(serve_probe(lent, ProbeTarget(service), limit=9))
    await near.write(bytes(10))
    with pytest.raises(StreamBroken):
        await everything(near)
    assert await serving is Outcome.BROKEN_NEAR


@pytest.mark.parametrize("service", list(Probe))
async def test_a_near_side_that_breaks(service: Probe) -> None:
    near, lent = pair()
    serving = asyncio.create_task(serve_probe(lent, ProbeTarget(service, 2**30)))
    near.abort("gone")
    assert await serving is Outcome.BROKEN_NEAR


@pytest.mark.parametrize("service", list(Probe))
async def test_a_relay_that_is_cut(service: Probe) -> None:
    near, lent = pair()
    serving = asyncio.create_task(serve_probe(lent, ProbeTarget(service, 2**30)))
    await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(StreamBroken):
        await everything(near)

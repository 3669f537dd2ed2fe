"""Strangers get less of everything until somebody vouches for them, and what they hold together is bounded."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest

from pyopenshell.http2 import ErrorCode
from pyopenshell.http2.limits import Limits
from pyopenshell.streams import Call, strangers
from pyopenshell.streams.hits import Hits
from pyopenshell.streams.strangers import CALLS, MESSAGE, STREAMS, Strangers
from tests.support.http2_peer import GOAWAY, RST_STREAM, SETTINGS, WINDOW_UPDATE, data
from tests.support.raw_client import Address, RawClient
from tests.support.stream_pairs import running


def connection(known: bool = False) -> Any:
    return Mock(known=known)


def test_calls_are_counted_until_they_end_or_their_connection_is_known() -> None:
    crowd, one, two = Strangers(calls=3), connection(), connection()
    with crowd.call(one), crowd.call(one):
        assert crowd.asks(one)
        assert not crowd.asks(two)
        with crowd.call(two):
            assert crowd.full
            assert repr(crowd) == "<Strangers 3 of 3 calls>"
            crowd.known(one)
            crowd.known(one)
            assert repr(crowd) == "<Strangers 1 of 3 calls>"
    assert repr(crowd) == "<Strangers 0 of 3 calls>"
    assert not crowd.asks(one)


def test_who_is_known_is_not_counted() -> None:
    crowd = Strangers(calls=1)
    with crowd.call(connection(known=True)):
        assert not crowd.full


async def vouched(call: Call) -> None:
    call.known()
    while (message := await call.read()) is not None:
        await call.write(message)


async def open_to_all(call: Call) -> None:
    while (message := await call.read()) is not None:
        await call.write(message)


HANDLERS = {"/in": vouched, "/all": open_to_all}


def streams_allowed(client: RawClient) -> list[int]:
    found = []
    for sent in client.frames:
        if sent.kind == SETTINGS:
            pairs = [sent.payload[i : i + 6] for i in range(0, len(sent.payload), 6)]
            found += [int.from_bytes(pair[2:], "big") for pair in pairs if pair[:2] == b"\0\3"]
    return found


def address(endpoint: Any) -> Address:
    return endpoint.host, endpoint.port


async def test_streams_and_messages_of_a_stranger_and_of_one_who_is_known() -> None:
    large = MESSAGE + 1
    message = b"\0" + large.to_bytes(4, "big") + bytes(large)
    async with running(HANDLERS, doorkeeper=True) as (_, endpoint):
        client = await RawClient.connect(address(endpoint), None, (4, 2**20))
        await client.send([client.headers(1, b"/all"), data(1, message[:16_384])])
        assert await client.status(1) == 8  # RESOURCE_EXHAUSTED
        await client.send([client.headers(3, b"/in")])
        pieces = [message[at : at + 16_384] for at in range(0, len(message), 16_384)]
        await client.send([data(3, piece) for piece in pieces[:-1]])
        await client.until(WINDOW_UPDATE, 3)
        await client.send([data(3, pieces[-1], end=True)])
        assert await client.status(3) == 0
        assert streams_allowed(client) == [STREAMS, Limits().max_concurrent_streams]
        await client.close()


async def test_one_call_of_a_stranger_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hits = Hits()
    async with running(HANDLERS, doorkeeper=True, hits=hits) as (server, endpoint):
        server._strangers = Strangers(calls=2)
        client = await RawClient.connect(address(endpoint))
        await client.send([client.headers(1, b"/all"), client.headers(3, b"/all")])
        while server.calls < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await client.send([client.headers(5, b"/all")])
        assert (await client.until(RST_STREAM, 5)).code == ErrorCode.REFUSED_STREAM
        assert hits["strangers"] == 1
        await client.send([client.headers(7, b"/in")])
        await client.until(RST_STREAM, 7)
        await client.close()
    assert CALLS >= STREAMS


@pytest.mark.parametrize("ended", [True, False])
async def test_a_stranger_that_takes_nothing_is_reset(ended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a window of nothing; also when the handler is long gone and only bytes wait."""
    monkeypatch.setattr(strangers, "PATIENCE", 0.0)
    monkeypatch.setattr(strangers, "RATE", 2**30)

    async def answer(call: Call) -> None:
        await call.write(bytes(10 if ended else 200_000))

    hits = Hits()
    async with running({"/a": answer}, doorkeeper=True, hits=hits) as (server, endpoint):
        client = await RawClient.connect(address(endpoint), None, (4, 0))
        await client.send([client.headers(1, b"/a", end=True)])
        assert (await client.until(RST_STREAM, 1)).code == ErrorCode.ENHANCE_YOUR_CALM
        assert hits["stalled"] == 1
        while server.calls:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await client.close()


async def test_who_is_known_may_stop_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "PATIENCE", 0.0)
    written = asyncio.Event()

    async def answer(call: Call) -> None:
        call.known()
        written.set()
        await call.write(bytes(200_000))

    async with running({"/a": answer}, doorkeeper=True) as (server, endpoint):
        client = await RawClient.connect(address(endpoint), None, (4, 0))
        await client.send([client.headers(1, b"/a", end=True)])
        await written.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert server.calls == 1
        assert not client.resets
        await client.close()


async def test_a_stranger_without_a_call_is_asked_to_go_and_cut_when_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyopenshell.streams.listener.CLOSE_TIMEOUT", 0.0)
    hits = Hits()
    async with running(HANDLERS, doorkeeper=True, hits=hits, first_request_timeout=0.02) as (server, endpoint):
        client = await RawClient.connect(address(endpoint))
        await client.send([client.headers(1, b"/all", end=True)])
        await client.until(GOAWAY)
        await client.over.wait()
        assert hits["idle"] == 1
        assert server.connections == 0
        await client.close()

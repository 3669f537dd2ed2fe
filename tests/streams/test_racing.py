"""Happy Eyeballs, with attempts that the test ends by hand; and once with real sockets."""

from __future__ import annotations

import asyncio
import socket

import pytest

from pyopenshell.streams import dialling, racing
from pyopenshell.streams.racing import Address, addresses, connect, interleaved, race

V4, V6 = socket.AF_INET, socket.AF_INET6


def four(number: int) -> Address:
    return V4, (f"192.0.2.{number}", 1)


def six(number: int) -> Address:
    return V6, (f"2001:db8::{number}", 1)


class Attempts:
    """Attempts that go on until the test says how they end."""

    def __init__(self) -> None:
        self.made: dict[Address, asyncio.Future[socket.socket]] = {}
        self.began: asyncio.Queue[Address] = asyncio.Queue()

    async def __call__(self, address: Address) -> socket.socket:
        future = self.made[address] = asyncio.get_running_loop().create_future()
        self.began.put_nowait(address)
        return await future


def test_families_take_turns() -> None:
    found = [six(1), six(2), six(3), four(1), four(2)]
    assert interleaved(found) == [six(1), four(1), six(2), four(2), six(3)]
    assert interleaved([]) == []


async def test_literals_ask_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", None)
    assert await addresses("192.0.2.1", 1) == [four(1)]
    assert await addresses("2001:db8::1", 1) == [six(1)]


async def test_an_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match=r"."):
        await addresses("no\0name", 1)


async def test_a_dead_family_costs_one_delay_and_no_timeout() -> None:
    attempts = Attempts()
    racing_ = asyncio.create_task(race([six(1), four(1)], attempts, delay=0.001))
    assert await attempts.began.get() == six(1)
    assert await attempts.began.get() == four(1)
    with socket.socket() as won:
        attempts.made[four(1)].set_result(won)
        assert await racing_ is won
    assert attempts.made[six(1)].cancelled()


async def test_a_failure_begins_the_next_at_once_and_the_first_one_is_told() -> None:
    attempts = Attempts()
    racing_ = asyncio.create_task(race([six(1), four(1)], attempts, delay=3600))
    attempts.made[await attempts.began.get()].set_exception(OSError("first"))
    attempts.made[await attempts.began.get()].set_exception(OSError("second"))
    with pytest.raises(OSError, match="first"):
        await racing_


async def test_two_that_succeed_at_once_leave_one_socket() -> None:
    attempts = Attempts()
    racing_ = asyncio.create_task(race([six(1), four(1)], attempts, delay=0.0001))
    await attempts.began.get()
    await attempts.began.get()
    one, two = socket.socket(), socket.socket()
    attempts.made[six(1)].set_result(one)
    attempts.made[four(1)].set_result(two)
    won = await racing_
    assert sorted([one.fileno() < 0, two.fileno() < 0]) == [False, True]
    won.close()


async def test_who_is_cancelled_gives_all_up() -> None:
    attempts = Attempts()
    racing_ = asyncio.create_task(race([six(1)], attempts))
    await attempts.began.get()
    racing_.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing_
    assert attempts.made[six(1)].cancelled()


async def test_what_is_no_failure_of_the_network_is_raised() -> None:
    async def broken(address: Address) -> socket.socket:
        raise ValueError(address)

    with pytest.raises(ValueError):
        await race([six(1), four(1)], broken)
    with pytest.raises(OSError, match="no address"):
        await race([], broken)


async def test_a_name_with_a_dead_address_reaches_the_living_one(monkeypatch: pytest.MonkeyPatch) -> None:
    listening = dialling.listen_tcp("127.0.0.1", 0)
    port = listening.getsockname()[1]

    async def both(host: str, port: int) -> list[Address]:
        return [(V6, ("::1", port)), (V4, ("127.0.0.1", port))]

    monkeypatch.setattr(racing, "addresses", both)
    prepared = []
    with listening:
        listening.listen()
        with await connect("gateway.example", port, prepared.append) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
            assert not sock.getblocking()
    assert [each.family for each in prepared][-1] is V4

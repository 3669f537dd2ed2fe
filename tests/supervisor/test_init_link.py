"""The link against a scripted init: what a hostile or broken one may say."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator

import pytest

from pyopenshell.drivers.messages import Message, close_all, pair, receive_message, send_message
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec
from pyopenshell.supervisor.init_client import SpawnClient
from pyopenshell.supervisor.init_link import Link
from pyopenshell.supervisor.init_process import DialError, Exit, StartError
from tests.support.waiting import until


class Bench:
    def __init__(self) -> None:
        mine, self.init = pair()
        self.link = Link(mine)

    def heard(self) -> Message:
        got = receive_message(self.init)
        assert got is not None
        close_all(got[1])
        return got[0]

    async def asked(self, request: Message | None = None) -> tuple[asyncio.Task[object], int]:
        """A request under way, and its number."""
        task: asyncio.Task[object] = asyncio.ensure_future(self.link.ask(request or {"op": "x"}))
        await asyncio.sleep(0)
        return task, self.heard()["n"]

    def say(self, message: Message, *fds: int) -> None:
        send_message(self.init, message, fds)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.link.close("over")
    made.init.close()


async def test_answers_find_their_requests_in_any_order(bench: Bench) -> None:
    first, one = await bench.asked()
    second, two = await bench.asked()
    bench.say({"n": two, "ok": {"a": 2}})
    bench.say({"n": one, "ok": {"a": 1}})
    assert await first == ({"a": 1}, [])
    assert await second == ({"a": 2}, [])


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("start", StartError, Code.PRECONDITION),
        ("dial", DialError, Code.UNAVAILABLE),
        ("room", OpenShellError, Code.EXHAUSTED),
        ("unknown", OpenShellError, Code.NOT_FOUND),
        ("bad", OpenShellError, Code.INTERNAL),
        (7, OpenShellError, Code.INTERNAL),
    ],
)
async def test_refusals_have_their_codes(bench: Bench, kind: object, error: type[OpenShellError], code: Code) -> None:
    task, number = await bench.asked()
    bench.say({"n": number, "error": "no\x1b[31m", "errno": 2, "kind": kind}, 0)
    with pytest.raises(error, match=r"no\?\[31m") as caught:
        await task
    assert caught.value.code is code


@pytest.mark.parametrize(
    "message",
    [
        {"n": 99, "ok": {}},
        {"ok": {}},
        {"n": [], "ok": {}},
        {"exit": []},
    ],
)
async def test_what_is_not_understood_loses_the_link(bench: Bench, message: Message) -> None:
    task, _number = await bench.asked()
    bench.say(message, 0)
    assert "not understood" in await bench.link.lost
    with pytest.raises(OpenShellError, match="the sandbox is lost") as caught:
        await task
    assert caught.value.code is Code.UNAVAILABLE
    with pytest.raises(OpenShellError, match="the sandbox is lost"):
        await bench.link.ask({"op": "x"})


async def test_rubbish_and_the_end_lose_the_link(bench: Bench) -> None:
    bench.init.send(b"rubbish")
    assert "not understood" in await bench.link.lost


async def test_an_exit_right_behind_its_spawn_is_kept(bench: Bench) -> None:
    task, number = await bench.asked({"op": "spawn"})
    bench.say({"n": number, "ok": {"pid": 5, "terminal": False}})
    bench.say({"exit": 5, "code": 3, "signal": 0, "core": False})
    await task
    process = bench.link.process(5, "", (-1, -1, -1), terminal=False)
    assert await process.wait() == Exit(3)
    assert bench.heard() == {"op": "ack", "pid": 5}
    bench.say({"exit": 5, "code": 0, "signal": 0, "core": False})
    bench.say({"exit": 6, "code": 0, "signal": 0, "core": False})
    again, number = await bench.asked()
    bench.say({"n": number, "ok": {}})
    await again


async def test_a_link_lost_between_an_answer_and_its_asker_is_no_hang(bench: Bench) -> None:
    task, number = await bench.asked({"op": "spawn"})
    bench.say({"n": number, "ok": {"pid": 5, "terminal": False}})
    bench.init.close()
    await bench.link.lost
    await task
    process = bench.link.process(5, "", (-1, -1, -1), terminal=False)
    with pytest.raises(OpenShellError, match="the sandbox is lost"):
        await process.wait()


async def test_requests_wait_for_a_busy_init_in_order(bench: Bench) -> None:
    pad = "x" * 50_000
    tasks = [asyncio.ensure_future(bench.link.ask({"op": str(number), "pad": pad}, [0])) for number in range(40)]
    for number in range(40):
        bench.init.setblocking(False)
        while True:
            try:
                got = receive_message(bench.init)
                break
            except BlockingIOError:
                await asyncio.sleep(0)
        assert got is not None
        assert got[0]["op"] == str(number)
        close_all(got[1])
        bench.say({"n": got[0]["n"], "ok": {}})
    await asyncio.gather(*tasks)


async def test_a_lost_link_closes_what_was_not_sent(bench: Bench) -> None:
    pad = "x" * 50_000
    tasks = [asyncio.ensure_future(bench.link.ask({"op": "x", "pad": pad}, [0])) for _number in range(40)]
    await asyncio.sleep(0)
    bench.link.close("over")
    assert {type(failure) for failure in await asyncio.gather(*tasks, return_exceptions=True)} == {OpenShellError}


async def test_an_answer_after_a_cancel_goes_to_the_late_one(bench: Bench) -> None:
    late: list[tuple[Message, list[int]]] = []
    task = asyncio.ensure_future(bench.link.ask({"op": "x"}, late=lambda ok, fds: late.append((ok, fds))))
    await asyncio.sleep(0)
    number = bench.heard()["n"]
    task.cancel()
    bench.say({"n": number, "ok": {"a": 1}}, 0)
    await until(lambda: bool(late))
    assert late[0][0] == {"a": 1}
    os.close(late[0][1][0])


@pytest.mark.parametrize("number", [0, 1, 4])
async def test_a_spawn_with_the_wrong_descriptors_loses_the_sandbox(number: int) -> None:
    mine, init = pair()
    client = SpawnClient(mine)
    with init, socket.socket() as wrong:
        task = asyncio.ensure_future(client.spawn(ExecSpec(("true",))))
        await asyncio.sleep(0)
        got = receive_message(init)
        assert got is not None
        close_all(got[1])
        send_message(init, {"n": got[0]["n"], "ok": {"pid": 5, "terminal": False}}, [wrong.fileno()] * number)
        with pytest.raises(OpenShellError) as caught:
            await task
        assert caught.value.code is Code.BROKEN
        assert client.lost.done()


async def test_a_spawn_with_no_pipes_loses_the_sandbox() -> None:
    mine, init = pair()
    client = SpawnClient(mine)
    with init, socket.socket() as wrong:
        task = asyncio.ensure_future(client.spawn(ExecSpec(("true",))))
        await asyncio.sleep(0)
        got = receive_message(init)
        assert got is not None
        close_all(got[1])
        send_message(init, {"n": got[0]["n"], "ok": {"pid": 5, "terminal": False}}, [wrong.fileno()] * 3)
        with pytest.raises(OpenShellError, match="not a pipe"):
            await task

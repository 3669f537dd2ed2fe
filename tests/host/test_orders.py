from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host import orders as module
from pyopenshell.host.births import birth_of
from pyopenshell.host.images import Images
from pyopenshell.host.orders import Orders
from pyopenshell.model import new_id
from pyopenshell.streams.contract import StreamBroken
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.support.fake_driver import FakeDriver
from tests.support.hosting import hosted

REMOTE = RemoteGateway("gw.example", 17670, "PEM")


class Kit:
    def __init__(self, max_sandboxes: int = 0) -> None:
        self.driver = FakeDriver()
        self.began: list[str] = []
        self.answers: list[ext.HostAnswer] = []
        self.orders = Orders(
            self.driver,
            lambda message, new: birth_of(message, REMOTE, Images(), new=new),
            running=lambda: sorted(self.driver.running),
            max_sandboxes=max_sandboxes,
            beginning=self.began.append,
        )

    async def say(self, answer: ext.HostAnswer) -> None:
        self.answers.append(answer)

    async def ask(self, **order: Any) -> ext.HostAnswer:
        self.orders.take(ext.Order(id=7, **order), self.say)
        await self.orders.settle()
        assert self.answers[-1].order == 7
        return self.answers.pop()


async def test_each_order_is_carried_out_by_the_driver() -> None:
    kit = Kit()
    birth = hosted()
    started = await kit.ask(start=birth)
    assert (started.error, dict(started.facts)) == ("", kit.driver.facts)
    assert kit.driver.births[birth.sandbox_id].remote == REMOTE
    assert (await kit.ask(adopt=birth)).runs
    kinds = [(process.kind, process.pid, process.start_time) for process in (await kit.ask(processes="")).processes]
    assert kinds == [(ext.Process.KIND_ZYGOTE, 11, 100)]
    assert len((await kit.ask(processes=birth.sandbox_id)).processes) == 2
    assert (await kit.ask(stop=birth.sandbox_id)).error == ""
    assert not (await kit.ask(adopt=birth)).runs
    assert (await kit.ask(delete=birth.sandbox_id)).error == ""
    assert [call for call, _ in kit.driver.calls] == ["start", "adopt", "stop", "adopt", "delete"]
    assert kit.began == [birth.sandbox_id] * 3


async def test_failures_are_answers() -> None:
    kit = Kit()
    assert (await kit.ask()).error == Code.PRECONDITION
    assert (await kit.ask(start=hosted(token=""))).error == Code.INVALID

    async def refuse(_birth: Birth) -> None:
        raise OpenShellError(Code.PRECONDITION, "no namespaces", hint="sysctl")

    kit.driver.on_start = refuse
    answer = await kit.ask(start=hosted())
    assert (answer.error, answer.message, answer.hint) == ("precondition", "no namespaces", "sysctl")

    async def defect(_birth: Birth) -> None:
        raise ZeroDivisionError

    kit.driver.on_start = defect
    answer = await kit.ask(start=hosted())
    assert (answer.error, answer.message) == ("internal", "the host failed; its log says how")


async def test_orders_of_one_sandbox_keep_their_order_and_others_go_beside() -> None:
    kit = Kit()
    first, other = hosted(), hosted()
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait(birth: Birth) -> None:
        if birth.sandbox_id == first.sandbox_id:
            begun.set()
            await go.wait()

    kit.driver.on_start = wait
    kit.orders.take(ext.Order(id=1, start=first), kit.say)
    kit.orders.take(ext.Order(id=2, stop=first.sandbox_id), kit.say)
    kit.orders.take(ext.Order(id=3, delete=first.sandbox_id), kit.say)
    await begun.wait()
    said = asyncio.Event()

    async def say(answer: ext.HostAnswer) -> None:
        await kit.say(answer)
        said.set()

    kit.orders.take(ext.Order(id=4, start=other), say)
    await said.wait()
    assert [answer.order for answer in kit.answers] == [4]
    go.set()
    await kit.orders.settle()
    assert [answer.order for answer in kit.answers] == [4, 1, 2, 3]


async def test_a_full_host_takes_no_more_but_begins_again_what_it_has() -> None:
    kit = Kit(max_sandboxes=1)
    birth = hosted()
    assert (await kit.ask(start=birth)).error == ""
    refused = await kit.ask(start=hosted())
    assert (refused.error, refused.message) == ("exhausted", "1 sandboxes run on this host, which takes 1")
    assert (await kit.ask(start=birth)).error == ""
    await kit.ask(stop=birth.sandbox_id)
    assert (await kit.ask(start=hosted())).error == ""


async def test_starts_that_have_not_ended_count() -> None:
    kit = Kit(max_sandboxes=1)
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait(_birth: Birth) -> None:
        begun.set()
        await go.wait()

    kit.driver.on_start = wait
    kit.orders.take(ext.Order(id=1, start=hosted()), kit.say)
    await begun.wait()
    kit.orders.take(ext.Order(id=2, start=hosted()), kit.say)
    go.set()
    await kit.orders.settle()
    assert sorted((answer.order, answer.error) for answer in kit.answers) == [(1, ""), (2, "exhausted")]


async def test_too_many_orders_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 1)
    kit = Kit()
    kit.orders.take(ext.Order(id=1, stop=new_id()), kit.say)
    kit.orders.take(ext.Order(id=2, stop=new_id()), kit.say)
    await kit.orders.settle()
    assert sorted((answer.order, answer.error) for answer in kit.answers) == [(1, ""), (2, "exhausted")]


async def test_an_answer_that_nobody_hears_is_dropped() -> None:
    kit = Kit()

    async def lost(_answer: ext.HostAnswer) -> None:
        raise StreamBroken("lost")

    birth = hosted()
    kit.orders.take(ext.Order(id=1, start=birth), lost)
    await kit.orders.settle()
    assert kit.driver.running == {birth.sandbox_id}


async def test_closing_gives_up_what_has_begun() -> None:
    kit = Kit()
    begun = asyncio.Event()

    async def for_ever(_birth: Birth) -> None:
        begun.set()
        await asyncio.Event().wait()

    kit.driver.on_start = for_ever
    birth = hosted()
    kit.orders.take(ext.Order(id=1, start=birth), kit.say)
    kit.orders.take(ext.Order(id=2, stop=birth.sandbox_id), kit.say)
    await begun.wait()
    await kit.orders.close()
    assert (kit.answers, kit.driver.calls) == ([], [("start", birth.sandbox_id)])

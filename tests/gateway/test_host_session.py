"""One host's stream: orders and answers by number, silence, ends, and a host that answers nothing."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway import host_session
from pyopenshell.gateway.host_session import HostSession, check_hello, shown_facts
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext


async def begun(interval: float = 60.0) -> HostSession:
    session = HostSession("lab1", "s", "m1", interval)
    first = await session.next()
    assert first is not None
    assert (first.accepted.name, first.accepted.session_id) == ("lab1", "s")
    return session


async def ordered(session: HostSession) -> ext.Order:
    message = await session.next()
    assert message is not None
    return message.order


async def test_answers_come_in_any_order() -> None:
    session = await begun()
    first = asyncio.ensure_future(session.order("adopt", ext.HostedBirth(sandbox_id="a")))
    second = asyncio.ensure_future(session.order("stop", "b"))
    one, two = await ordered(session), await ordered(session)
    assert (one.adopt.sandbox_id, two.stop) == ("a", "b")
    session.answered(ext.HostAnswer(order=two.id))
    session.answered(ext.HostAnswer(order=one.id, runs=True))
    session.answered(ext.HostAnswer(order=one.id))
    session.answered(ext.HostAnswer(order=77))
    assert (await first).runs
    assert not (await second).runs


async def test_a_heartbeat_in_silence() -> None:
    session = await begun(interval=0.0)
    message = await session.next()
    assert message is not None
    assert message.WhichOneof("payload") == "heartbeat"


async def test_what_waits_fails_when_the_stream_ends() -> None:
    session = await begun()
    waiting = asyncio.ensure_future(session.order("stop", "a"))
    await ordered(session)
    session.end(OpenShellError(Code.UNAVAILABLE, "the connection was lost"))
    session.end(OpenShellError(Code.INTERNAL, "later"))
    with pytest.raises(OpenShellError, match="host lab1 was lost: the connection was lost") as caught:
        await waiting
    assert caught.value.code is Code.UNAVAILABLE
    assert await session.next() is None
    with pytest.raises(OpenShellError, match="connection was lost"):
        await session.order("stop", "a")


@pytest.mark.parametrize(
    ("error", "code"),
    [("not_found", Code.NOT_FOUND), ("unauthenticated", Code.UNAVAILABLE), ("so what", Code.UNAVAILABLE)],
)
async def test_a_hosts_refusal(error: str, code: Code) -> None:
    session = await begun()
    waiting = asyncio.ensure_future(session.order("stop", "a"))
    session.answered(ext.HostAnswer(order=(await ordered(session)).id, error=error, message="x" * 9000, hint="\x07"))
    with pytest.raises(OpenShellError, match="host lab1: xxx") as caught:
        await waiting
    assert caught.value.code is code
    assert len(caught.value.message) < 600
    assert caught.value.hint == "\\x07"


async def test_an_order_that_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(host_session.TIMEOUTS, "stop", 0.0)
    session = await begun()
    with pytest.raises(OpenShellError, match="did not answer 'stop'") as caught:
        await session.order("stop", "a")
    assert caught.value.code is Code.DEADLINE


async def test_a_host_that_reads_nothing_is_not_told_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_session, "PENDING_MAX", 2)
    session = await begun()
    waiting = [asyncio.ensure_future(session.order("stop", name)) for name in "ab"]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    with pytest.raises(OpenShellError, match="has 2 orders to answer") as caught:
        await session.order("stop", "c")
    assert caught.value.code is Code.EXHAUSTED


def test_facts_are_cleaned_and_few() -> None:
    assert shown_facts({"a\n": "\x00"}) == {"a\\x0a": "\\x00"}
    assert len(shown_facts({str(n): "" for n in range(65)})) == 64


def test_a_hello_without_anything_is_well_formed() -> None:
    check_hello(ext.HostHello())

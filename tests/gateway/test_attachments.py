"""Whoever is waited for comes, or does not, or was never expected."""

from __future__ import annotations

import asyncio

from pyopenshell.gateway.attachments import Attachments
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.fake_supervisor import SERVICE
from tests.support.gateway_kit import Kit


async def test_nobody_is_waited_for_who_is_not_expected() -> None:
    book = Attachments(1e6)
    book.came("x")
    await book.wait("x")


async def test_whoever_is_expected_is_waited_for() -> None:
    book = Attachments(1e6)
    book.expect("x")
    waiting = asyncio.ensure_future(book.wait("x"))
    await asyncio.sleep(0)
    assert not waiting.done()
    book.came("x")
    await waiting
    await book.wait("x")
    book.expect("y")
    book.came("y")  # before anybody waits
    await book.wait("y")


async def test_one_that_never_comes() -> None:
    book = Attachments(0.0)
    book.expect("x")
    await book.wait("x")
    assert book._awaited == {}


async def test_a_main_process_begins_when_its_logs_are_followed(kit: Kit) -> None:
    spec = pb.SandboxSpec(command=["job"])
    request = pb.CreateSandboxRequest(name="web", spec=spec, await_main_process_attachment=True)
    made = (await kit.call("CreateSandbox", request, pb.SandboxResponse)).sandbox
    follow = pb.WatchSandboxRequest(sandbox="web", follow_status=True)
    watching = kit.channel.stream(f"{SERVICE}WatchSandbox", follow, pb.SandboxStreamEvent)
    assert (await anext(watching)).sandbox.status.phase == pb.SANDBOX_PHASE_PROVISIONING
    assert ("start", made.metadata.id) not in kit.driver.calls
    follow.follow_logs = True
    following = kit.channel.stream(f"{SERVICE}WatchSandbox", follow, pb.SandboxStreamEvent)
    assert (await anext(following)).sandbox.status.phase == pb.SANDBOX_PHASE_PROVISIONING
    assert (await anext(watching)).sandbox.status.phase == pb.SANDBOX_PHASE_READY
    for events in (watching, following):
        await events.aclose()  # type: ignore[attr-defined]


async def test_one_that_is_deleted_before_anybody_came(kit: Kit) -> None:
    request = pb.CreateSandboxRequest(
        name="web", spec=pb.SandboxSpec(command=["job"]), await_main_process_attachment=True
    )
    made = (await kit.call("CreateSandbox", request, pb.SandboxResponse)).sandbox
    await kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)
    assert ("start", made.metadata.id) not in kit.driver.calls

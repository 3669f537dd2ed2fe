"""What all callers of a relay share; here: what the audit has of it, and that first messages are bounded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.relaying import FIRST_MESSAGE_MAX, first_message
from pyopenshell.model import ExecSpec
from pyopenshell.streams import ExecChannel
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.gateway_kit import Kit, exec_, files, ssh
from tests.support.waiting import until


class Call:
    def __init__(self, message: bytes | None, *, hang: bool = False) -> None:
        self.limit = 7
        self.message = message
        self.hang = hang

    async def read(self) -> bytes | None:
        assert self.limit == FIRST_MESSAGE_MAX
        if self.hang:
            await asyncio.Event().wait()
        return self.message


async def test_first_messages() -> None:
    call = Call(b"x")
    assert await first_message(call, "hello") == b"x"  # type: ignore[arg-type]
    assert call.limit == 7
    with pytest.raises(OpenShellError) as caught:
        await first_message(Call(None), "hello")  # type: ignore[arg-type]
    assert caught.value.code is Code.INVALID
    with pytest.raises(OpenShellError, match="hello did not come") as caught:
        await first_message(Call(b"", hang=True), "hello", 0.0)  # type: ignore[arg-type]
    assert caught.value.code is Code.DEADLINE


async def audited(kit: Kit) -> list[dict[str, Any]]:
    await kit.gateway.stop()
    lines = (kit.settings.state / "audit.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def of_class(events: list[dict[str, Any]], number: int) -> list[tuple[str, str]]:
    return [(event["activity_name"], event["message"]) for event in events if event["class_uid"] == number]


async def test_a_relay_is_audited_from_its_opening_to_its_end(kit: Kit) -> None:
    sandbox = await kit.ready()
    token = await kit.token()
    leg = await kit.forward(ssh("web", token))
    await leg.write(b"x" * 1000)
    while not await leg.read():
        pass
    await leg.end()
    while await leg.read():
        pass
    await leg.close()
    text = json.dumps(events := await audited(kit))
    names = [name for name, message in of_class(events, 4001) if "relay" in message]
    assert names == ["Open", "Close"]
    assert of_class(events, 4007)
    closed = json.dumps(
        [event for event in events if event["activity_name"] == "Close" and "relay" in event["message"]]
    )
    assert sandbox.metadata.id in closed
    assert '"bytes_' in closed
    assert token not in text


async def test_refusals_and_failures_are_audited_and_opens_are_not(kit: Kit) -> None:
    kit.prepare = lambda supervisor: setattr(
        supervisor, "refuse", pb.RelayOpenResult(success=False, error="connection refused")
    )
    await kit.ready()
    for init in (ssh("web", "bad"), files("web")):
        with pytest.raises(OpenShellError):
            await (await kit.forward(init)).read()
    events = await audited(kit)
    relays = [(name, message) for name, message in of_class(events, 4001) if "relay" in message]
    assert [name for name, _ in relays] == ["Refuse", "Fail"]
    assert "connection refused" in json.dumps(events)


async def test_commands_are_audited_without_their_environment(kit: Kit) -> None:
    await kit.ready()
    channel = ExecChannel(await kit.forward(exec_("web")))
    await channel.start(ExecSpec(("make", "test"), {"PASSWORD": "hunter2"}))
    assert await channel.receive() is not None
    channel.stream.abort()
    text = json.dumps(events := await audited(kit))
    assert [name for name, _ in of_class(events, 1007)] == ["Launch"]
    assert "make test" in text
    assert "hunter2" not in text


async def exec_relay(kit: Kit, *argv: str) -> tuple[ExecChannel, pb.RelayOpen]:
    """A command that the far end has got, and the open it came by."""
    channel = ExecChannel(await kit.forward(exec_("web")))
    await channel.start(ExecSpec(argv))
    opened = await kit.supervisor(await kit.get()).opens.get()
    assert await channel.receive() is not None  # the fake far end gives START back: it is there
    return channel, opened


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize(
    ("how", "code", "status"),
    [
        (pb.ExecExit(code=7), 7, "Success"),
        (pb.ExecExit(signal=9), 137, "Success"),
        (pb.ExecExit(timed_out=True), 124, "Success"),
        (pb.ExecExit(start_error="no such file"), 255, "Failure"),
    ],
)
async def test_the_end_of_a_command_is_audited_from_its_supervisors_report(
    kit: Kit, how: pb.ExecExit, code: int, status: str, lost: bool
) -> None:
    sandbox = await kit.ready()
    channel, opened = await exec_relay(kit, "make", "x" * 5000)
    if lost:
        channel.stream.abort("gone")
        await until(lambda: not kit.gateway.services.board.lines())
    supervisor = kit.supervisor(sandbox)
    for _ in range(2):  # a report that is doubled is told once
        await supervisor.send(exec_ended=pb.ExecEnded(channel_id=opened.channel_id, how=how))
    await supervisor.send(exec_ended=pb.ExecEnded(channel_id="unknown", how=how))
    await until(lambda: not (kit.gateway.services.relaying._commands or kit.gateway.services.relaying._unreported))
    if not lost:
        channel.stream.abort("the test is over")
    told = [event for event in await audited(kit) if event["class_uid"] == 1007]
    assert [event["activity_name"] for event in told] == ["Launch", "Terminate"]
    assert (told[1]["exit_code"], told[1]["status"]) == (code, status)
    assert told[1]["process"] == told[0]["process"]
    assert told[1]["process"]["uid"] == opened.channel_id


async def test_a_report_of_another_sandboxs_command_is_nothing(kit: Kit) -> None:
    await kit.ready()
    other = await kit.ready("other")
    channel, opened = await exec_relay(kit, "true")
    relaying = kit.gateway.services.relaying
    relaying.note_exit(other.metadata.id, opened.channel_id, pb.ExecExit(code=0))
    assert list(relaying._commands) == [opened.channel_id]
    channel.stream.abort("the test is over")
    await until(lambda: bool(relaying._unreported))
    relaying.note_exit(other.metadata.id, opened.channel_id, pb.ExecExit(code=0))
    assert list(relaying._unreported) == [opened.channel_id] and not relaying._commands


async def test_what_is_never_reported_is_forgotten_in_the_end(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyopenshell.gateway.relaying.ENDED_MAX", 1)
    await kit.ready()
    for _ in range(3):
        channel, opened = await exec_relay(kit, "true")
        channel.stream.abort("gone")
        await until(lambda: not kit.gateway.services.board.lines())
    assert list(kit.gateway.services.relaying._unreported) == [opened.channel_id]

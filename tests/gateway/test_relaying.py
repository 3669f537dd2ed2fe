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

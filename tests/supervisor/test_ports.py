"""The target `ports`: told once, told at each change, and what a hostile init says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Outcome
from pyopenshell.streams import StreamBroken, pair
from pyopenshell.supervisor.ports import PORTS_MAX, TEXT_MAX, Radar, serve_ports, snapshot
from pyopenshell.wire.framed import Unframer
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


def said(*ports: int, **changes: Any) -> dict[str, Any]:
    row = {"address": "127.0.0.1", "pid": 4, "process": "node", "udp": False, **changes}
    return {"ports": [{"port": port, **row} for port in ports], "truncated": False}


class Inside:
    """Says what it is given, one after the other; the last for ever."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def ports(self) -> dict[str, Any]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


async def seen(near: Any, number: int) -> list[list[int]]:
    unframer, found = Unframer(), []
    while len(found) < number:
        for message in unframer.feed(await near.read()):
            found.append([row.port for row in pb.PortsSnapshot.FromString(message).ports])
    return found


async def test_told_once() -> None:
    near, lent = pair()
    serving = asyncio.create_task(serve_ports(lent, Radar(Inside(said(80)).ports), watch=False))
    assert await seen(near, 1) == [[80]]
    assert await near.read() == b""
    await near.end()
    assert await serving is Outcome.COMPLETED


async def test_watched_until_near_has_ended_and_told_of_changes_alone() -> None:
    near, lent = pair()
    inside = Inside(said(80), said(80), said(80, 81), said())
    serving = asyncio.create_task(serve_ports(lent, Radar(inside.ports, at_once), watch=True))
    assert await seen(near, 3) == [[80], [80, 81], []]
    await near.end()
    assert await near.read() == b""
    assert await serving is Outcome.COMPLETED
    asked = inside.asked
    await asyncio.sleep(0)
    assert inside.asked == asked


async def test_those_who_look_at_the_same_time_share_a_look() -> None:
    inside = Inside(said(80))
    radar = Radar(inside.ports)
    await asyncio.gather(*(radar.look() for _ in range(20)))
    assert inside.asked == 1
    await radar.look()
    assert inside.asked == 2


@pytest.mark.parametrize("watch", [False, True])
async def test_a_sandbox_that_does_not_answer_breaks_it(watch: bool) -> None:
    near, lent = pair()
    radar = Radar(Inside(OpenShellError(Code.UNAVAILABLE, "the sandbox is lost")).ports)
    assert await serve_ports(lent, radar, watch=watch) is Outcome.BROKEN_FAR
    with pytest.raises(StreamBroken):
        await near.read()


async def test_near_that_breaks_ends_the_watch() -> None:
    near, lent = pair()
    serving = asyncio.create_task(serve_ports(lent, Radar(Inside(said(80)).ports), watch=True))
    assert await seen(near, 1) == [[80]]
    near.abort("gone")
    assert await serving is Outcome.BROKEN_NEAR


async def test_cancelled_it_aborts() -> None:
    near, lent = pair()
    serving = asyncio.create_task(serve_ports(lent, Radar(Inside(said(80)).ports), watch=True))
    assert await seen(near, 1) == [[80]]
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(StreamBroken):
        await near.read()


def test_hostile_names_are_cut_and_cleaned() -> None:
    (row,) = snapshot(said(80, process="\x1b]0;x\x07\u202e" + "n" * 9999, address="\ud800")).ports
    assert row.process.isprintable()
    assert len(row.process) < 4 * TEXT_MAX
    assert row.address == "\\ud800"


def test_more_than_an_honest_init_says_is_cut() -> None:
    found = snapshot(said(*range(PORTS_MAX + 1)))
    assert len(found.ports) == PORTS_MAX
    assert found.truncated


@pytest.mark.parametrize(
    "nonsense",
    [{}, {"ports": 3, "truncated": False}, {"ports": ["x"], "truncated": False}, said(65536), said(-1), said(80, pid=2**40),
     said(80, pid="x"), said(80, pid=None)],
)  # fmt: skip
def test_nonsense_is_unavailable(nonsense: dict[str, Any]) -> None:
    with pytest.raises(OpenShellError) as caught:
        snapshot(nonsense)
    assert caught.value.code is Code.UNAVAILABLE

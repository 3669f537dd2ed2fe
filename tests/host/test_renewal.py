from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pyopenshell.enrol.keys import Validity
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host import renewal as module
from pyopenshell.host.renewal import LOOK_INTERVAL, Renewal
from pyopenshell.host.state import HostFile, HostState
from pyopenshell.streams.grpc_client import Channel


class Clock:
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self.enough = asyncio.Event()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if len(self.waits) == 4:
            self.enough.set()
            await asyncio.Event().wait()


async def run(state: HostState, due: float) -> Clock:
    clock = Clock()
    channel: Channel = object()  # type: ignore[assignment]
    task = asyncio.create_task(Renewal(state, due, wall=clock, sleep=clock.sleep)(channel))
    await clock.enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return clock


@pytest.fixture
def state(tmp_path: Path) -> HostState:
    made = HostState(tmp_path)
    made.save(HostFile("lab1", "main", ("gw.example:17670",), 1100.0, "id", "web"))
    (tmp_path / "mtls").mkdir()
    for name in ("ca.crt", "tls.crt", "tls.key"):
        made.credential(name).write_text(name)
    return made


async def test_a_certificate_that_is_due_is_replaced(state: HostState, monkeypatch: pytest.MonkeyPatch) -> None:
    async def renew(_channel: object, *, key: bytes, authority: bytes) -> tuple[bytes, Validity]:
        assert (key, authority) == (b"tls.key", b"ca.crt")
        return b"NEW", Validity(1100.0, 1100.0 + 1.5 * 10_000)

    monkeypatch.setattr(module.renewal, "renew", renew)
    clock = await run(state, 1100.0)
    assert clock.waits == [100.0, LOOK_INTERVAL, LOOK_INTERVAL, 10_000.0 - 2 * LOOK_INTERVAL]
    assert state.credential("tls.crt").read_bytes() == b"NEW"
    host = state.load()
    assert host is not None
    assert (host.renew_after, host.sandbox) == (11_100.0, "id")


async def test_a_failure_is_tried_again_in_an_hour(state: HostState, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[None] = []

    async def renew(_channel: object, **_files: bytes) -> tuple[bytes, Validity]:
        tries.append(None)
        raise OpenShellError(Code.UNAVAILABLE, "not now")

    monkeypatch.setattr(module.renewal, "renew", renew)
    clock = await run(state, 0.0)
    assert clock.waits == [LOOK_INTERVAL] * 4
    assert len(tries) == 4
    assert state.credential("tls.crt").read_text() == "tls.crt"

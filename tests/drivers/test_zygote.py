from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.drivers import zygote as module
from pyopenshell.drivers.messages import pair, send_message
from pyopenshell.drivers.orders import OrderKind
from pyopenshell.drivers.zygote import Zygote, answer
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.steps import SetupFailed
from pyopenshell.model import new_id
from tests.support.waiting import until


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = pair()
    near.setblocking(False)
    with near, far:
        yield near, far


async def test_an_answer_and_its_descriptors(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    send_message(far, {"ready": 1})
    assert await answer(near, "ready") == ({"ready": 1}, [])


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        ({"failed": {"step": "proc", "errno": 1, "text": "no", "hint": "do"}}, SetupFailed, "proc: no"),
        ({"refused": {"code": "invalid", "message": "bad tar", "hint": ""}}, OpenShellError, "bad tar"),
        ({"other": 1}, SetupFailed, "not understood"),
    ],
)
async def test_failures_keep_their_words(
    ends: tuple[socket.socket, socket.socket], message: dict[str, object], kind: type[Exception], text: str
) -> None:
    near, far = ends
    send_message(far, message, [0])
    with pytest.raises(kind, match=text):
        await answer(near, "ready")


async def test_an_end_without_an_answer_has_the_log_s_last_words(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    far.close()
    with pytest.raises(OpenShellError, match="before it was ready: boom") as caught:
        await answer(near, "ready", last_words=lambda: "boom")
    assert caught.value.code is Code.UNAVAILABLE


async def test_silence_is_a_deadline(ends: tuple[socket.socket, socket.socket]) -> None:
    near, _far = ends
    with pytest.raises(OpenShellError) as caught:
        await answer(near, "ready", timeout=0.01)
    assert caught.value.code is Code.DEADLINE


async def test_a_zygote_that_cannot_start_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zygote = Zygote(tmp_path / "log")
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(OpenShellError, match="cannot be started"):
        await zygote.child(OrderKind.TASK, new_id())
    monkeypatch.undo()
    monkeypatch.setattr(module, "_MODULE", "pyopenshell.no_such_module")
    with await zygote.child(OrderKind.TASK, new_id()) as sock, pytest.raises(OpenShellError):
        await answer(sock, "done")
    await until(lambda: zygote.process is None)
    assert "No module named" in (tmp_path / "log").read_text()
    await zygote.gone()


async def test_it_runs_the_package_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the installed one, which the isolated interpreter would find; the standard library stays in front."""
    (tmp_path / "begun.py").write_text("import json, socket; print('begun from', __file__, json.__file__)")
    (tmp_path / "json.py").write_text("raise SystemExit('in front of the standard library')")
    monkeypatch.setattr(module, "_PACKAGE_AT", str(tmp_path))
    monkeypatch.setattr(module, "_MODULE", "begun")
    zygote = Zygote(tmp_path / "log")
    with await zygote.child(OrderKind.TASK, new_id()) as sock, pytest.raises(OpenShellError):
        await answer(sock, "done")
    await until(lambda: zygote.process is None)
    assert f"begun from {tmp_path / 'begun.py'}" in (tmp_path / "log").read_text()
    await zygote.gone()


@pytest.mark.e2e
async def test_it_ends_with_its_last_order_socket(tmp_path: Path) -> None:
    zygote = Zygote(tmp_path / "log")
    admitted = await zygote.admit(new_id(), [])
    process = zygote.process
    assert process is not None
    gone = asyncio.create_task(zygote.gone())
    await asyncio.sleep(0)
    assert not gone.done()
    admitted.close()
    await gone
    assert zygote.process is None

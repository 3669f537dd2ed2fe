"""Answers of a task; its work is in tests/drivers/test_tasks.py."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.drivers.configs import TaskConfig, ids_of, ids_to_json, send_config
from pyopenshell.drivers.messages import Message, pair, receive_message
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.ids import candidates, range_ids, single_ids
from pyopenshell.linux.shapes import Found
from pyopenshell.linux.steps import SetupFailed
from pyopenshell.supervisor import task

IDS = ids_to_json(candidates(0x90000)[0])


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = pair()
    with near, far:
        yield near, far


def answer(ends: tuple[socket.socket, socket.socket], config: TaskConfig) -> tuple[int, Message]:
    near, far = ends
    send_config(near, config)
    status = task.born(far, [])
    got = receive_message(near)
    assert got is not None
    return status, got[0]


def test_a_directory_is_removed_and_a_missing_one_too(
    tmp_path: Path, ends: tuple[socket.socket, socket.socket]
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    config = TaskConfig("remove", IDS, str(tmp_path / "a"))
    assert answer(ends, config) == (0, {"done": {}})
    assert not (tmp_path / "a").exists()
    assert answer(ends, config) == (0, {"done": {}})


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (
            SetupFailed("proc", 1, "no", "do"),
            {"failed": {"step": "proc", "errno": 1, "text": "no", "hint": "do"}},
        ),
        (
            OpenShellError(Code.INVALID, "bad", hint="h"),
            {"refused": {"code": "invalid", "message": "bad", "hint": "h"}},
        ),
        (
            OSError(28, "No space left on device", "/x"),
            {
                "refused": {
                    "code": "exhausted",
                    "message": "probe: No space left on device: /x",
                    "hint": "make room on the disk of the gateway's state directory; nothing of this was kept",
                }
            },
        ),
        (
            FileNotFoundError(2, "gone", "/x"),
            {"failed": {"step": "probe", "errno": 2, "text": "gone: /x", "hint": ""}},
        ),
    ],
)
def test_failures_keep_their_words(
    ends: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    told: Message,
) -> None:
    def fail(_base: int) -> dict[str, str]:
        raise failure

    monkeypatch.setattr(task, "probe", fail)
    assert answer(ends, TaskConfig("probe", IDS)) == (1, told)


def test_the_shape_that_was_found_is_told_in_full(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Found(single_ids(), "no range: id maps: no")
    monkeypatch.setattr(task, "find", lambda base: found if base == 0x90000 else None)
    status, told = answer(ends, TaskConfig("shape", ids_to_json(range_ids(0x90000))))
    assert (status, told["done"]["because"]) == (0, found.because)
    assert ids_of(**json.loads(told["done"]["ids"])) == found.ids

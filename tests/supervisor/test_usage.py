"""What a supervisor says of itself and of its init."""

from __future__ import annotations

import socket

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import process
from pyopenshell.supervisor.usage import usage


class Init:
    def __init__(self, answer: tuple[int, int] | OpenShellError) -> None:
        self.answer = answer

    async def usage(self) -> tuple[int, int]:
        if isinstance(self.answer, OpenShellError):
            raise self.answer
        return self.answer


async def test_both_are_told() -> None:
    before = await usage(Init((3, 4)))
    left, right = socket.socketpair()
    with left, right:
        told = await usage(Init((3, 4)))
    assert 0 < told.supervisor_pss <= told.supervisor_rss
    assert told.supervisor_sockets == before.supervisor_sockets + 2
    assert (told.init_pss, told.init_rss) == (3, 4)


async def test_what_cannot_be_had_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_pid: int) -> process.Memory:
        raise PermissionError(13, "no /proc")

    monkeypatch.setattr(process, "memory", fail)
    told = await usage(Init(OpenShellError(Code.UNAVAILABLE, "gone")))
    assert (told.supervisor_pss, told.supervisor_sockets, told.init_pss) == (0, 0, 0)

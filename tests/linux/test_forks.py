"""A call in a child answers and fails as if it had been made here."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import forks, steps


def test_the_answer_comes_back_and_the_child_was_another_process() -> None:
    assert forks.call(lambda: {"pid": str(os.getpid())}, "x")["pid"] != str(os.getpid())


def test_failures_come_back_as_they_were() -> None:
    def fail(failure: BaseException) -> dict[str, str]:
        raise failure

    with pytest.raises(steps.SetupFailed) as setup:
        forks.call(lambda: fail(steps.SetupFailed("mounts", 1, "no", "do")), "x")
    assert (setup.value.step, setup.value.errno, setup.value.text, setup.value.hint) == ("mounts", 1, "no", "do")
    with pytest.raises(OpenShellError, match=r"bad \(hint\)") as ours:
        forks.call(lambda: fail(OpenShellError(Code.INVALID, "bad", hint="hint")), "x")
    assert ours.value.code is Code.INVALID
    with pytest.raises(OSError, match="full") as system:
        forks.call(lambda: fail(OSError(errno.ENOSPC, "full")), "x")
    assert system.value.errno == errno.ENOSPC
    with pytest.raises(OpenShellError, match="the work ended without an answer: KeyError") as defect:
        forks.call(lambda: fail(KeyError("k")), "the work")
    assert defect.value.code is Code.INTERNAL


def test_a_killed_child_is_an_answer_too() -> None:
    def die() -> dict[str, str]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    with pytest.raises(OpenShellError, match="it was killed"):
        forks.call(die, "the work")


def test_a_grandchild_that_lives_on_does_not_hold_the_answer_back() -> None:
    hold, release = os.pipe()

    def leave_one() -> dict[str, str]:
        pid = os.fork()
        if pid == 0:
            os.close(release)
            os.read(hold, 1)
            os._exit(0)
        return {"pid": str(pid)}

    grandchild = int(forks.call(leave_one, "x")["pid"])
    os.close(release)
    os.close(hold)
    os.waitpid(grandchild, 0)

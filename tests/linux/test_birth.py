"""A birth that fails leaves nothing, at whatever step."""

from __future__ import annotations

import errno
import os
import time

import pytest

from pyopenshell.linux import birth, ids, process, steps, syscalls

from .conftest import BASE, Box, in_child

SPEED_MAX = 1.0  # seconds: 20 times what an idle machine takes, so that only a real defect fails


def names(who: str) -> ids.Ids:
    return ids.range_ids(BASE) if who == "root" else ids.single_ids()


def test_a_birth_tells_who_process_1_is(box: Box) -> None:
    assert process.identity(box.process.pid) == box.process
    assert box.facts["isolation"] in ("range", "subrange", "single")
    assert set(box.fences) == {"landlock", "seccomp"}


def test_a_birth_is_fast(who: str, directory: str, mounts_before: None) -> None:
    def timed() -> float:
        begun = time.perf_counter()
        born = birth.create(birth.Plan(names(who), directory, "fast"), lambda facts: 0)
        taken = time.perf_counter() - begun
        os.waitpid(born.process.pid, 0)
        return taken

    assert min(in_child(timed, who) for _ in range(3)) < SPEED_MAX


def test_the_status_of_process_1_is_the_answer_of_its_function(who: str, directory: str, mounts_before: None) -> None:
    def status() -> int:
        born = birth.create(birth.Plan(names(who), directory, "x"), lambda facts: 7)
        return os.waitstatus_to_exitcode(os.waitpid(born.process.pid, 0)[1])

    assert in_child(status, who) == 7


def count_calls(who: str, directory: str) -> int:
    """How many system calls of ours a birth makes, in both processes."""
    heard, told = os.pipe()
    real = syscalls.call

    def counted(name: str, *arguments: object) -> int:
        os.write(told, b".")
        return real(name, *arguments)  # type: ignore[arg-type]

    def make() -> None:
        syscalls.call = counted  # type: ignore[assignment]
        os.waitpid(birth.create(birth.Plan(names(who), directory, "x"), lambda facts: 0).process.pid, 0)

    in_child(make, who)
    os.close(told)
    with os.fdopen(heard, "rb") as pipe:
        return len(pipe.read())


def test_it_fails_cleanly_at_every_step(who: str, directory: str, mounts_before: None) -> None:
    """Call N fails, for each N: a SetupFailed with a step, and no process stays."""
    total = count_calls(who, directory)
    assert total > 30
    for number in range(total):
        outcome = in_child(lambda number=number: fail_at(number, who, directory), who)
        assert outcome[0] in (*steps.STEPS, "made all the same"), outcome
        assert outcome[1] == "no child"


def fail_at(number: int, who: str, directory: str) -> list[str]:
    process.become_subreaper()
    real = syscalls.call
    counter = os.memfd_create("count")  # shared by all processes of the birth, unlike a variable

    def failing(name: str, *arguments: object) -> int:
        at = os.lseek(counter, 1, os.SEEK_CUR) - 1
        if at == number:
            raise OSError(errno.EIO, f"{name}: Input/output error")
        return real(name, *arguments)  # type: ignore[arg-type]

    syscalls.call = failing  # type: ignore[assignment]
    outcome = "made all the same"
    try:
        born = birth.create(birth.Plan(names(who), directory, "x"), lambda facts: 0)
        os.waitpid(born.process.pid, 0)
    except steps.SetupFailed as failure:
        outcome = failure.step
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return [outcome, "no child"]
    return [outcome, "a child stays"]


def test_a_defect_in_process_1_is_told(
    who: str, directory: str, monkeypatch: pytest.MonkeyPatch, mounts_before: None
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("defect")

    monkeypatch.setattr(birth, "assemble", broken)
    outcome = in_child(lambda: failure_of(who, directory), who)
    assert outcome == [steps.PID_ONE, "KeyError('defect')"]


def test_a_process_1_that_is_killed_is_told(
    who: str, directory: str, monkeypatch: pytest.MonkeyPatch, mounts_before: None
) -> None:
    monkeypatch.setattr(birth, "assemble", lambda *_: os._exit(9))
    assert in_child(lambda: failure_of(who, directory), who) == [steps.PID_ONE, "it ended without a word"]


def failure_of(who: str, directory: str) -> list[str]:
    try:
        birth.create(birth.Plan(names(who), directory, "x"), lambda facts: 0)
    except steps.SetupFailed as failure:
        return [failure.step, failure.text]
    return []


def test_a_directory_that_is_missing_is_named(who: str, mounts_before: None) -> None:
    step, text = in_child(lambda: failure_of(who, "/no/such"), who)
    assert (step, text) == (steps.SOURCES, "No such file or directory: '/no/such/workspace'")

"""The runner and its engines: what is found is kept, made smaller, shown again and told by the exit status."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import machines, run, sweep
from tests.fuzz.check import DEFECTS, what
from tests.fuzz.choices import RECORD
from tests.fuzz.targets import TARGETS
from tests.sabotage.run import ROOT, copy_tree

BAD = b"\x99" * RECORD


def broken(program: bytes) -> None:
    """A target with a defect: one record is too much for it."""
    if BAD in [program[at : at + RECORD] for at in range(0, len(program), RECORD)]:
        raise AssertionError("found 17")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(run, "FOUND", tmp_path)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setitem(TARGETS, "server", broken)
    return tmp_path


def test_a_find_is_made_as_small_as_it_goes(found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "seeds", lambda _name: [b"\x01" * RECORD * 5 + BAD + b"\x02" * RECORD * 5])
    result = sweep.sweep(["server"], 60, seed=1, first=True)["server"]
    ((name, program),) = result.finds.items()
    assert name == "AssertionError in broken: found 17"
    assert sweep.reduce(broken, program, name) == BAD
    assert result.runs >= 1


def test_a_find_is_written_with_the_command_that_shows_it(
    found: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep, "seeds", lambda _name: [BAD])
    run.inside("sweep", ["server"], 60, seed=1, first=True)
    (path,) = found.iterdir()
    told = capsys.readouterr().out
    assert f"--replay server {path.name}" in told
    assert sweep.replay("server", path.read_bytes()) == 1
    assert "found 17" in capsys.readouterr().err
    assert sweep.replay("server", b"") == 0


def test_finds_that_differ_in_numbers_are_one() -> None:
    assert sweep.kind("AssertionError in x: 17 of 90") == sweep.kind("AssertionError in x: 3 of 1")
    assert sweep.kind("AssertionError in x") != sweep.kind("KeyError in x")


def test_a_program_without_an_end_is_a_find() -> None:
    def hang(_program: bytes) -> None:
        signal.raise_signal(signal.SIGALRM)  # as the alarm does after HANG seconds

    with sweep.hangs():
        assert sweep.verdict(hang, b"").startswith("Hang in ring: a program takes more than")


def test_a_machine_that_fails_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(machines.MessagesMachine):
        def teardown(self) -> None:
            raise AssertionError("found")

    monkeypatch.setitem(machines.MACHINES, "messages", Broken)
    (find,) = machines.explore(["messages"], 60, first=True)["messages"].finds
    assert find.startswith("AssertionError: found")


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("lanes", [1, 2])
def test_the_shares_are_the_whole(guided: bool, lanes: int) -> None:
    jobs = run.jobs(60, lanes, guided)
    assert sum(job.seconds for job in jobs) == pytest.approx((60 - run.SPARE) * lanes)
    for engine in ("sweep", "guided") if guided else ("sweep",):
        assert {name for job in jobs if job.engine == engine for name in job.targets} == set(TARGETS)
    assert {name for job in jobs if job.engine == "machines" for name in job.targets} == set(machines.MACHINES)


def test_the_table_tells_each_target() -> None:
    lines = list(
        run.table([run.Row("pair", "guided", 100, 2.0, "7 edges", []), run.Row("exec", "sweep", 0, 0.0, "", [])])
    )
    assert lines[1].split() == ["pair", "guided", "100", "50", "0", "7", "edges"]
    assert lines[2].split() == ["exec", "sweep", "0", "-", "0"]


def test_the_command_ends_in_time_and_well() -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--seconds", "4", "--seed", "1", "messages", "exec"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 1" in done.stdout
    assert "0 finds" in done.stdout.splitlines()[-1]


def test_every_seeded_defect_applies(tmp_path: Path) -> None:
    patches = sorted(DEFECTS.glob("*.patch"))
    assert len(patches) >= 10
    copy_tree(tmp_path)
    for patch in patches:
        assert what(patch)
        checked = subprocess.run(["git", "apply", "--check", str(patch)], cwd=tmp_path, capture_output=True, text=True)
        assert checked.returncode == 0, f"{patch.name} does not apply any more, make it anew: {checked.stderr}"

"""Proof of `cli/bench/commands.py` on real small commands: what fails is counted, never timed."""

from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path

import pytest

from pyopenshell.cli.bench import commands as module
from pyopenshell.cli.bench.commands import PAYLOAD, Commands, payload_archive


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands([], [], tmp_path, dict(os.environ))


def test_a_command_that_works_is_timed(commands: Commands) -> None:
    elapsed = commands.timed(["true"])
    assert elapsed is not None
    assert elapsed > 0
    assert commands.failures == 0


@pytest.mark.parametrize(
    ("argv", "said"),
    [(["false"], "ended 1"), (["sh", "-c", "echo oh >&2; exit 3"], "oh"), (["sh", "-c", "kill -9 $$"], "ended -9")],
)
def test_a_command_that_fails_is_counted(commands: Commands, argv: list[str], said: str) -> None:
    assert commands.timed(argv) is None
    assert commands.failures == 1
    assert said in commands.notes[0]


def test_missing_bytes_are_a_failure(commands: Commands) -> None:
    assert commands.timed(["printf", "abc"], bytes_out=3) is not None
    assert commands.timed(["printf", "abc"], bytes_out=4) is None
    assert commands.failures == 1


def test_standard_input_comes_from_the_file(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"12345")
    assert commands.timed(["cat"], bytes_out=5, stdin=tmp_path / "in") is not None


def test_runs_together_count_each_failure(commands: Commands) -> None:
    commands.together(["false"], 4)
    assert commands.failures == 4
    commands.together(["true"], 4)
    assert commands.failures == 4


def test_repeated_leaves_failures_out(commands: Commands) -> None:
    assert commands.repeated(["false"], 3) == []
    assert len(commands.repeated(["true"], 3)) == 3


def test_bulk_is_a_rate(commands: Commands) -> None:
    rate = commands.bulk(["head", "-c", str(PAYLOAD), "/dev/zero"], bytes_out=PAYLOAD)
    assert rate is not None
    assert rate > 1
    assert commands.bulk(["false"]) is None


def test_payload_archive_holds_the_payload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAYLOAD", 1000)
    with tarfile.open(payload_archive(tmp_path)) as tar:
        assert [(m.name, m.size) for m in tar] == [("payload", 1000)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["payload.tar"]


def test_a_command_that_hangs_is_a_failure(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMAND_TIMEOUT", 0.05)
    closes_and_hangs = "import os, signal; os.close(1); os.close(2); signal.pause()"
    assert commands.timed([sys.executable, "-c", closes_and_hangs]) is None
    assert "timed out" in commands.notes[0]

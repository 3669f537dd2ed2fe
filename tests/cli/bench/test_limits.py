"""Proof of `cli/bench/limits.py`: the bare machine's figures come from real processes, and nothing stays."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pyopenshell.cli.bench import limits, loads
from pyopenshell.cli.bench.commands import Commands


@pytest.mark.slow
def test_loopback_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = limits.loopback()
    assert set(figures) == {"loopback", "loopback_rtt", "loopback_open"}
    assert all(value > 0 for value in figures.values())
    assert loads.BULK > 0


@pytest.mark.slow
def test_bare_commands(tmp_path: Path) -> None:
    figures = limits.bare_commands(Commands([], [], tmp_path, dict(os.environ)), 3)
    assert set(figures) == {"true_p50", "lines_bare", "pipe", "parallel_true_bare", "churn_bare"}


def test_no_sshd_is_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: None)
    with limits.bare_sshd(tmp_path) as argv:
        assert argv is None


@pytest.mark.slow
def test_a_private_sshd_where_there_is_one(tmp_path: Path) -> None:
    with limits.bare_sshd(tmp_path) as argv:
        if argv is None:
            assert shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin") is None or os.getuid() == 0
            return
        assert Commands([], [], tmp_path, dict(os.environ)).timed([*argv, "true"]) is not None

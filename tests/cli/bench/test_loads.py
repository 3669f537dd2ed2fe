"""Proof of `cli/bench/loads.py`: server and client really move and count the bytes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from pyopenshell.cli.bench import loads


@pytest.fixture
def connect() -> Iterator[loads.Connect]:
    with subprocess.Popen([sys.executable, "-I", "-c", loads.SERVER], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield loads.connector("127.0.0.1", int(server.stdout.readline()))
        server.kill()


def test_rates_and_times(connect: loads.Connect) -> None:
    assert loads.down(connect) > 0
    assert loads.up(connect) > 0
    assert len(loads.round_trips(connect)) == loads.ROUND_TRIPS
    assert len(loads.first_bytes(connect)) == loads.OPENS


def test_missing_bytes_are_an_error(connect: loads.Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "BULK", loads.BULK + 1)  # the server was made for one byte less
    with pytest.raises(OSError, match="bytes arrived of"):
        loads.down(connect)
    with pytest.raises(OSError, match="counted"):
        loads.up(connect)

"""Targets open the connection's window early (`wire.LEAST`); other tests see the real figure again."""

from __future__ import annotations

import pytest

from pyopenshell.http2 import data_in
from tests.fuzz.wire import LEAST


@pytest.fixture(autouse=True)
def early_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_in, "_CONNECTION_LEAST", LEAST)

"""Certificates once for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.stream_pairs import Tls, make_pki, make_tls


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def tls(pki: Path) -> Tls:
    return make_tls(pki)

"""The defaults of the settings are those of the configuration: a gateway in a test is the one that people run."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pyopenshell.config import GatewayConfig
from pyopenshell.gateway.settings import Settings

SETTINGS = Settings("local", Path("/s"), Path("/r"), "owner", "1")
SAME = {one.name for one in fields(GatewayConfig)} & {one.name for one in fields(Settings)} - {"heartbeat_interval"}


@pytest.mark.parametrize("name", sorted(SAME))
def test_defaults_agree(name: str) -> None:
    assert getattr(SETTINGS, name) == getattr(GatewayConfig(), name)


def test_limits_agree() -> None:
    config = GatewayConfig()
    limits = SETTINGS.limits
    assert (limits.per_token, limits.per_sandbox) == (config.connections_per_token, config.connections_per_sandbox)
    assert limits.granted_per_sandbox == config.granted_connections

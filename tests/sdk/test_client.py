"""The front door: which gateway, who we are, what it says of itself."""

from __future__ import annotations

import pytest

import pyopenshell.sdk
from pyopenshell.errors import OpenShellError
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.types import GatewayInfo, User
from tests.support.client_gateway import FakeGateway, paths_in


async def test_the_environment_says_which_gateway_and_who(gateway: FakeGateway, tmp_path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "OPENSHELL_TOKEN": "t0ken"}
    with pytest.raises(OpenShellError, match="no gateway is registered"):
        Client.of(environ=environ)
    gateway.register(pyopenshell.sdk.Paths.of(environ), "lab")
    async with Client.of(environ=environ) as client:
        await client.whoami()
    assert gateway.authorizations == ["Bearer t0ken"]
    with pytest.raises(OpenShellError, match="'other' is not registered"):
        Client.of("other", environ=environ)


async def test_who_and_what(client: Client) -> None:
    assert await client.whoami() == User("ada", "Ada", ("admin",), (), "fake")
    assert await client.info() == GatewayInfo("healthy", "9.9", ("local",))
    assert await client.health() == ("healthy", "9.9")


def test_every_exported_name_is_there(tmp_path) -> None:
    assert set(pyopenshell.sdk.__all__) == set(pyopenshell.sdk._MODULE_OF)
    for name in pyopenshell.sdk.__all__:
        assert getattr(pyopenshell.sdk, name).__name__ == name
    with pytest.raises(AttributeError):
        pyopenshell.sdk.Nothing  # noqa: B018
    assert paths_in(tmp_path).state == tmp_path / "state"

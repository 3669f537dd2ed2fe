from __future__ import annotations

from dataclasses import asdict

from pyopenshell.drivers.remote import RemoteGateway


def test_it_survives_a_config_and_shows_no_password() -> None:
    remote = RemoteGateway("gw.example", 17670, "PEM", "http://me:SECRET@proxy:3128")
    assert RemoteGateway(**asdict(remote)) == remote
    assert "SECRET" not in repr(remote)

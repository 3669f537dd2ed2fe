from __future__ import annotations

import pytest

from pyopenshell.streams.exemptions import exempt


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
)
def test_this_machine_is_always_exempt(host: str) -> None:
    assert exempt(host, 443, "")


@pytest.mark.parametrize(
    ("host", "entries"),
    [
        ("example.com", "*"),
        ("10.0.0.1", "*"),
        ("example.com", "other, example.com"),
        ("Example.COM.", "EXAMPLE.com"),
        ("gw.example.com", "example.com"),
        ("gw.example.com", ".example.com"),
        ("example.com", ".example.com"),
        ("gw.example.com", "*.example.com"),
        ("gw.example.com", "x y\texample.com"),
        ("gw.example.com", "example.com:8443"),
        ("gw.example.com", "*:8443"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3:8443"),
        ("10.1.2.3", "10.1.2.9/24"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("fd00::7", "fd00::/8"),
        ("fd00::7", "FD00:0::7"),
        ("fd00::7", "[fd00::7]"),
        ("fd00::7", "[fd00::7]:8443"),
        ("fd00::7", "[fd00::/16]:8443"),
    ],
)
def test_exempt(host: str, entries: str) -> None:
    assert exempt(host, 8443, entries)


@pytest.mark.parametrize(
    ("host", "entries"),
    [
        ("example.com", ""),
        ("example.com", " , ,"),
        ("example.com", "gw.example.com"),
        ("badexample.com", "example.com"),
        ("example.com", "example.com:443"),
        ("example.com", "example.com:port"),
        ("example.com", "."),
        ("example.com", "10.0.0.0/8"),
        ("10.1.2.3", "11.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3:443"),
        ("10.1.2.3", "2.3"),
        ("10.1.2.3", "10.0.0.0/99"),
        ("fd00::7", "fe80::/10"),
        ("fd00::7", "[fd00::7]:443"),
        ("fd00::7", "[fd00::7"),
    ],
)
def test_not_exempt(host: str, entries: str) -> None:
    assert not exempt(host, 8443, entries)

from __future__ import annotations

import pytest

from pyopenshell.audit.base import TEXT_MAX, Activity, Class, Severity, Status, actor, endpoint, event, span, text
from pyopenshell.model import Principal, Role


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("127.0.0.1:4711", {"ip": "127.0.0.1", "port": 4711}),
        ("[::1]:80", {"ip": "::1", "port": 80}),
        ("unix", {"name": "unix"}),
        ("", {"name": "unknown"}),
        ("host:99999", {"name": "host:99999"}),
        (":80", {"name": ":80"}),
        ("a:²", {"name": "a:²"}),
    ],
)
def test_endpoints(address: str, found) -> None:
    assert endpoint(address) == found


@pytest.mark.parametrize(("role", "kind"), [(Role.USER, 1), (Role.ADMIN, 2), (Role.SUPERVISOR, 3)])
def test_actors(role: Role, kind: int) -> None:
    found = actor(Principal("s", role, provider="mtls"))
    assert found["user"]["type_id"] == kind
    assert found["session"] == {"issuer": "mtls"}


def test_text_is_cut_with_a_sign_of_it() -> None:
    assert text("x" * TEXT_MAX) == "x" * TEXT_MAX
    assert text("x" * (TEXT_MAX + 1)) == "x" * TEXT_MAX + "…"


def test_empty_facts_are_left_out_and_zero_is_not(source) -> None:
    made = event(source, 1.0, Class.BASE, Activity.OTHER, Status.SUCCESS, Severity.LOW, "m", {"a": "", "b": 0})
    assert "a" not in made
    assert made["b"] == 0


def test_a_clock_that_was_set_back_gives_no_negative_duration() -> None:
    assert span(10.0, 9.0)["duration"] == 0

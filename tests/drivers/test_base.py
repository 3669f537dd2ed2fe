from __future__ import annotations

from pyopenshell.drivers.base import Birth, ProcessName
from pyopenshell.model import SandboxSpec


def test_secrets_are_not_in_the_text_of_a_birth() -> None:
    birth = Birth("id", "web", SandboxSpec(), token="SECRET", host_key="SECRET", gateway_socket="/s")
    assert "SECRET" not in repr(birth)


def test_processes_are_told_apart_by_their_start() -> None:
    assert ProcessName("init", 5, 1) != ProcessName("init", 5, 2)
    assert sorted([ProcessName("supervisor", 1, 1), ProcessName("init", 2, 1)])[0].kind == "init"

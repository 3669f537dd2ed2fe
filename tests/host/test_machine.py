from __future__ import annotations

from pathlib import Path

import pytest

from pyopenshell.host.machine import machine_id, machine_name


def test_another_machine_or_boot_has_another_id(tmp_path: Path) -> None:
    machine, boot = tmp_path / "machine-id", tmp_path / "boot_id"
    machine.write_text("a\n")
    boot.write_text("b\n")
    first = machine_id((machine, boot))
    assert (len(first), machine_id((machine, boot))) == (64, first)
    boot.write_text("c\n")
    second = machine_id((machine, boot))
    machine.unlink()
    assert len({first, second, machine_id((machine, boot))}) == 3
    assert len(machine_id()) == 64


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("lab1", "lab1"), ("Lab_1.example.org", "lab-1"), ("-", "host"), ("ü", "host"), ("x" * 80, "x" * 63)],
)
def test_a_host_name_becomes_a_name(hostname: str, name: str) -> None:
    assert machine_name(hostname) == name


def test_this_machine_has_a_name() -> None:
    assert machine_name()

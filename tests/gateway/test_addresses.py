from __future__ import annotations

import pytest

from pyopenshell.gateway.addresses import dialled, is_wildcard, reachable


@pytest.mark.parametrize(
    ("names", "host", "found"),
    [
        ((), "127.0.0.1", ("127.0.0.1",)),
        (("lab.example", "*.lab.example"), "10.0.0.1", ("lab.example", "10.0.0.1")),
        ((), "0.0.0.0", ("box",)),
        (("lab.example",), "::", ("lab.example", "box")),
        (("10.0.0.1",), "10.0.0.1", ("10.0.0.1",)),
    ],
)
def test_the_best_first(names: tuple[str, ...], host: str, found: tuple[str, ...]) -> None:
    assert reachable(names, host, "box") == found


def test_a_machine_whose_name_no_certificate_carries() -> None:
    assert reachable((), "0.0.0.0", "my_box") == ()


def test_what_is_dialled_here() -> None:
    assert [dialled(host) for host in ("0.0.0.0", "::", "10.0.0.1", "lab")] == ["127.0.0.1", "::1", "10.0.0.1", "lab"]
    assert not is_wildcard("lab")

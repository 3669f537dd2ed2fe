"""What `ps` shows."""

from __future__ import annotations

from pyopenshell.linux import title

from .conftest import in_child


def test_a_title_is_seen_by_ps_and_cut_to_its_room() -> None:
    def titled() -> list[str]:
        with open("/proc/self/cmdline", "rb") as line:
            room = len(line.read())
        seen = []
        for text in ("openshell-init: web", "x" * 100_000):
            title.set_title(text)
            with open("/proc/self/cmdline", "rb") as line:
                seen.append(line.read().rstrip(b"\0").decode())
        return [seen[0], str(len(seen[1]) == room - 1)]

    assert in_child(titled) == ["openshell-init: web", "True"]

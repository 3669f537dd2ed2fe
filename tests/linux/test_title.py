from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pyopenshell.linux.title import locate

SHOW = """
import sys
from pathlib import Path
from pyopenshell.linux.title import set_title
set_title(sys.argv[1])
print(Path("/proc/self/cmdline").read_bytes().rstrip(b"\\0").decode())
print(Path("/proc/self/comm").read_text(), end="")
"""


@pytest.mark.parametrize("text", ["openshell-init: web", "x" * 100])
def test_a_title_is_shown(text: str) -> None:
    shown = subprocess.run([sys.executable, "-c", SHOW, text], capture_output=True, check=True, text=True).stdout
    assert shown.splitlines() == [text, text.split(":")[0][:15]]


def test_a_title_is_cut_to_the_room_there_is() -> None:
    show = SHOW.replace("sys.argv[1]", "'y' * 10_000")
    shown = subprocess.run([sys.executable, "-c", show], capture_output=True, check=True, text=True).stdout
    title = shown.splitlines()[0]
    assert set(title) == {"y"}
    assert len(title) == len(sys.executable) + len(" -c ") + len(show) - 0


def test_the_place_is_the_command_line_s() -> None:
    _start, room = locate()
    assert room == len(Path("/proc/self/cmdline").read_bytes())

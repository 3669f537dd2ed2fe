"""Connect without a terminal; with one it is in test_main.py."""

from __future__ import annotations

import subprocess

import pytest

from pyopenshell.cli.connect import SHELL
from tests.support.command_line import CommandLine


async def test_it_needs_a_terminal(line: CommandLine) -> None:
    done = await line("sandbox", "connect", "web", stdin=b"ls\n")
    assert done.code == 1
    assert "connect needs a terminal" in done.err


@pytest.mark.parametrize("shell", ["/bin/sh", "/no/such/shell", ""])
def test_a_shell_is_found(shell: str) -> None:
    done = subprocess.run(SHELL, env={"SHELL": shell, "HOME": "/"}, input=b"echo hi\n", capture_output=True)
    assert done.stdout == b"hi\n"

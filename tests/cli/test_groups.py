"""Finding a command must not import its neighbours: the start-up of `exec` is what people wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = ("rich", "yaml", "asyncssh", "cryptography", "sqlalchemy", "shutil", "jwt")


@pytest.mark.parametrize(
    ("argv", "also"),
    [
        (
            ["sandbox", "exec", "--help"],
            ("pyopenshell.cli.gateway", "pyopenshell.sdk.types", "pyopenshell.sdk.forward"),
        ),
        (["gateway", "list", "--help"], ("pyopenshell.cli.exec", "pyopenshell.sdk.exec")),
        (["completion", "bash"], ("pyopenshell.sdk.client", "pyopenshell.streams")),
    ],
)
def test_what_is_not_imported(argv: list[str], also: tuple[str, ...]) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom pyopenshell.cli.context import Context\n"
        "from pyopenshell.cli.app import parse\n"
        "parse(sys.argv[1:], Context(None, os.open(os.devnull, os.O_WRONLY), 2, Path('/'), {}))\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, *argv], capture_output=True, text=True, check=True)
    found = {*SLOW, *also} & set(done.stdout.split())
    assert not found

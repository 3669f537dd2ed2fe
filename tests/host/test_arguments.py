from __future__ import annotations

from pathlib import Path

import pytest

from pyopenshell.host.arguments import parser


def test_what_is_given_is_read() -> None:
    argv = [
        "serve",
        "-",
        "--max",
        "20",
        "--label",
        "zone=lab",
        "--label",
        "gpu=",
        "--images",
        "/srv",
        "--host-name",
        "a",
    ]
    given = parser().parse_args(argv)
    assert (given.command, given.line, given.max, given.host_name) == ("serve", "-", 20, "a")
    assert (given.label, given.images) == ([("zone", "lab"), ("gpu", "")], [Path("/srv")])
    joined = parser().parse_args(["join", "os-host://x", "--name", "web"])
    assert (joined.line, joined.name, joined.host_name) == ("os-host://x", "web", None)
    assert parser().parse_args(["serve"]).line == ""
    assert parser().parse_args(["leave", "--force"]).force


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "COMMAND"),
        (["serve", "--max", "0"], "not a number from 1"),
        (["serve", "--max", "many"], "not a number from 1"),
        (["serve", "--label", "zone"], "is not KEY=VALUE"),
        (["serve", "--label", "=x"], "label"),
        (["serve", "--host-name", "Not A Name"], "name"),
        (["join", "--name", "../x"], "name"),
    ],
)
def test_what_cannot_be_is_refused(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(argv)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], ["join", "-h"], ["serve", "-h"], ["status", "-h"], ["leave", "-h"]])
def test_every_help_has_an_example(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(argv)
    assert "example" in capsys.readouterr().out

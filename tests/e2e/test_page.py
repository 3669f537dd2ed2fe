"""`docs/two-machines.md`, done: each block on the machine it names, each command with the output that the page shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.machines import Machine, Machines, missing

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.skipif(shutil.which("curl") is None, reason="no curl"),
]

PAGE = Path(__file__).parents[2] / "docs/two-machines.md"
BLOCK = re.compile(r"^```console (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INVITATION = re.compile(r"os-\w+://\S+")
ANYTHING = "…"


@dataclass(frozen=True)
class Step:
    """One command, and what the page says that it prints."""

    machine: str
    command: str
    output: str


def steps(page: str) -> Iterator[Step]:
    """The commands of the page, in order: a line behind `$ `, and its output up to the next one."""
    for machine, block in BLOCK.findall(page):
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = entry.partition("\n")
            yield Step(machine, command, output)


def matches(shown: str, printed: str) -> bool:
    """Whether `printed` is what the page shows; there `…` stands for anything within a line."""
    return re.fullmatch("[^\n]*".join(map(re.escape, shown.split(ANYTHING))), printed) is not None


def test_a_page_is_read_as_steps() -> None:
    page = (
        "Text\n```console user\n$ one two\nout …\n$ three\n```\n```sh\nnot this\n```\n```console gateway\n$ four\n```\n"
    )
    assert list(steps(page)) == [
        Step("user", "one two", "out …\n"),
        Step("user", "three", ""),
        Step("gateway", "four", ""),
    ]


def test_output_has_to_be_as_shown() -> None:
    assert matches("process …\n", "process 12\n")
    assert not matches("process …\n", "process 12\nand more\n")
    assert not matches("a.c\n", "abc\n")


@pytest.mark.slow
def test_what_the_page_says(machines: Machines) -> None:
    by_name: dict[str, Machine] = {"user": machines.user, "gateway": machines.gateway, "host": machines.host}
    invited = ""
    done = list(steps(PAGE.read_text()))
    assert len(done) > 10, "the page has lost its blocks"
    for step in done:
        command = INVITATION.sub(invited, step.command)
        ended = by_name[step.machine].command(["bash", "-c", command])
        printed = ended.text + ended.err
        assert matches(step.output, printed), f"{step}: {printed}"
        assert ended.status == (1 if step.output.startswith("error: ") else 0), step
        if found := INVITATION.search(printed):
            invited = found[0]

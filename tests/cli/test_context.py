"""A command's world: widths, colours, questions, descriptors that are closed or full."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.cli.context import LoopSignals, write_all
from pyopenshell.errors import OpenShellError
from tests.support.command_line import CommandLine


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def test_width(bare: CommandLine, terminal: tuple[int, int]) -> None:
    reading, writing = os.pipe()
    assert bare.context(None, writing, None).width is None
    assert bare.context(None, None, None).width is None
    assert bare.context(None, writing, None, environ={"COLUMNS": "40"}).width == 40
    assert bare.context(None, terminal[1], None, environ={"COLUMNS": "x"}).width == 80  # the PTY does not know
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("environ", "colour"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)]
)
def test_colour(bare: CommandLine, terminal: tuple[int, int], environ: dict[str, str], colour: bool) -> None:
    assert bare.context(None, terminal[1], None, environ=environ).colour is colour
    assert not bare.context(None, None, None, environ=environ).colour


def test_paths_are_the_user_s(bare: CommandLine) -> None:
    context = bare.context(None, None, None, cwd=Path("/some/where"))
    assert context.path("a/b") == Path("/some/where/a/b")
    assert context.path("/abs") == Path("/abs")
    assert context.paths.config == bare.directory / "config-home" / "openshell"


def test_settings_are_read_where_they_are(bare: CommandLine) -> None:
    context = bare.context(None, None, None)
    assert (context.settings.output, context.chosen_gateway) == ("table", "")
    context.paths.config.mkdir(parents=True)
    (context.paths.config / "config.toml").write_text('[client]\ngateway = "lab"\n[gateway]\nport = 1\n')
    assert context.chosen_gateway == ""  # read once
    again = bare.context(None, None, None)
    assert again.chosen_gateway == "lab"
    again.gateway = "other"
    assert again.chosen_gateway == "other"


@pytest.mark.parametrize(("answer", "yes"), [(b"y\n", True), (b"YES\n", True), (b"\n", False), (b"n\n", False)])
async def test_questions(bare: CommandLine, terminal: tuple[int, int], answer: bytes, yes: bool) -> None:
    master, slave = terminal
    context = bare.context(slave, None, slave)
    assert context.interactive
    os.write(master, answer)
    assert await context.ask("sure?") is yes
    seen = b""
    while b"sure? [y/N]" not in seen:
        seen += os.read(master, 1000)


async def test_a_question_that_nobody_can_answer(bare: CommandLine) -> None:
    context = bare.context(None, None, None)
    assert not context.interactive
    assert not await context.ask("sure?")
    reading, writing = os.pipe()
    os.close(writing)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    assert not await bare.context(reading, None, nowhere).ask("sure?")
    os.close(reading)
    os.close(nowhere)


def test_advice_that_cannot_be_written_is_dropped(bare: CommandLine) -> None:
    bare.context(None, None, None).err("x")
    full = os.open("/dev/full", os.O_WRONLY)
    context = bare.context(None, full, full)
    context.err("x")
    with pytest.raises(OpenShellError, match="No space left"):
        context.out("x")
    os.close(full)
    with pytest.raises(OpenShellError, match="closed"):
        bare.context(None, None, None).out("x")


def test_output_that_is_not_utf_8_goes_out_as_it_came(bare: CommandLine) -> None:
    reading, writing = os.pipe()
    bare.context(None, writing, None).out("a\udcffb")
    assert os.read(reading, 10) == b"a\xffb\n"
    os.close(reading)
    os.close(writing)


def test_a_description_that_somebody_made_non_blocking(bare: CommandLine) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    got = bytearray()

    def drain() -> None:
        while data := os.read(reading, 65536):
            got.extend(data)

    thread = threading.Thread(target=drain)
    thread.start()
    write_all(writing, b"x" * 1_000_000)
    os.close(writing)
    thread.join()
    os.close(reading)
    assert len(got) == 1_000_000


async def test_signals_of_this_process(bare: CommandLine) -> None:
    context = bare.context(None, None, None)
    context.signals = LoopSignals()
    heard = asyncio.Event()
    with context.hearing((signal.SIGUSR1, heard.set)):
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(heard.wait(), 10)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL

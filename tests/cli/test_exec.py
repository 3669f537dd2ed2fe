"""`sandbox exec` in this process: streams, statuses, signals, and inputs that never end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Iterator

import pytest

from pyopenshell.cli.app import run
from pyopenshell.errors import Code, OpenShellError
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


def drained(descriptor: int) -> str:
    with open(descriptor) as told:
        return told.read()


async def test_streams_and_status(line: CommandLine) -> None:
    done = await line("sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")


async def test_argv_arrives_verbatim_also_what_looks_like_our_options(line: CommandLine, gateway: FakeGateway) -> None:
    done = await line("sandbox", "exec", "-n", "web", "--", "printf", "%s|", "-n", "--", "a b", "$HOME", "--help")
    assert done.out == "-n|--|a b|$HOME|--help|"
    done = await line("sb", "exec", "-n", "web", "printf", "%s|", "--tty", "x")
    assert done.out == "--tty|x|"


async def test_signal_death_timeout_and_a_command_that_is_not_there(line: CommandLine) -> None:
    assert (await line("sandbox", "exec", "-n", "web", "--", "sh", "-c", "kill -TERM $$")).code == 143
    done = await line("sandbox", "exec", "-n", "web", "--timeout", "0.2", "--", "sleep", "60")
    assert (done.code, done.err) == (124, "error: the command was ended after 0.2 s\n")
    done = await line("sandbox", "exec", "-n", "web", "--", "no-such-\x1b[31mcommand")
    assert done.code == 127
    assert done.err == "error: cannot run 'no-such- [31mcommand': No such file or directory\n"


async def test_env_and_workdir(line: CommandLine) -> None:
    done = await line(
        "sandbox", "exec", "-n", "web", "--env", "A=b=c", "--env", "E=", "--workdir", "/tmp", "--", "sh", "-c",
        'echo "$A,$E,$(pwd)"',
    )  # fmt: skip
    assert done.out == "b=c,,/tmp\n"


async def test_stdin_is_streamed(line: CommandLine) -> None:
    data = os.urandom(3 << 20)
    done = await line("sandbox", "exec", "-n", "web", "--", "wc", "-c", stdin=data)
    assert done.out.strip() == str(len(data))


@pytest.fixture
def endless() -> Iterator[int]:
    """An input that nobody ever writes to or closes, as a CI system leaves behind."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


async def test_an_endless_input_does_not_hold_back_the_end(line: CommandLine, endless: int) -> None:
    done = await asyncio.wait_for(line("sandbox", "exec", "-n", "web", "--", "echo", "done", stdin=endless), 20)
    assert (done.code, done.out) == (0, "done\n")


@pytest.mark.keeps_descriptors("a read that runs in its thread closes the descriptor when it is back")
async def test_input_from_dev_zero_ends_with_the_command(line: CommandLine) -> None:
    zero = os.open("/dev/zero", os.O_RDONLY)
    try:
        done = await line("sandbox", "exec", "-n", "web", "--", "head", "-c", "5", stdin=zero)
    finally:
        os.close(zero)
    assert (done.code, done.out) == (0, "\0" * 5)


async def test_closed_input_and_no_stdin(line: CommandLine) -> None:
    assert (await line("sandbox", "exec", "-n", "web", "--", "cat")).code == 0
    done = await line("sandbox", "exec", "-n", "web", "--no-stdin", "--", "cat", stdin=b"mine")
    assert (done.code, done.out) == (0, "")


async def test_a_job_behind_an_ampersand_leaves_the_terminal_alone(line: CommandLine) -> None:
    """This process is in the background of a terminal that it does not have: raw mode would stop it."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    command = ["sandbox", "exec", "-n", "web", "--", "sh", "-c", "test -t 0 || echo none; cat"]
    assert await asyncio.wait_for(run(command, line.context(slave, slave, slave)), 20) == 0
    assert termios.tcgetattr(slave) == before
    assert os.read(master, 100) == b"none\r\n"
    os.close(master)
    os.close(slave)


async def test_the_last_used_sandbox_is_meant_and_said(line: CommandLine) -> None:
    done = await line("sandbox", "exec", "--", "true")
    assert done.code == 1
    assert "none was used before" in done.err
    await line("sandbox", "exec", "-n", "web", "--", "true")
    done = await line("sandbox", "exec", "--", "true")
    assert (done.code, done.err) == (0, "using sandbox web\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_our_signals_reach_the_command(line: CommandLine, number: signal.Signals) -> None:
    reading, writing = os.pipe()
    context = line.context(None, writing, None)
    script = "trap 'exit 3' INT TERM HUP; echo up; while :; do sleep 0.01; done"
    task = asyncio.create_task(run(["sandbox", "exec", "-n", "web", "--", "sh", "-c", script], context))
    await asyncio.to_thread(os.read, reading, 3)
    line.signals.send(number)
    assert await asyncio.wait_for(task, 20) == 3
    assert not line.signals.acts
    os.close(reading)
    os.close(writing)


async def test_the_second_ctrl_c_does_not_ask_any_more(line: CommandLine) -> None:
    reading, writing = os.pipe()
    context = line.context(None, writing, None)
    script = "trap '' INT; echo up; while :; do sleep 0.01; done"
    task = asyncio.create_task(run(["sandbox", "exec", "-n", "web", "--", "sh", "-c", script], context))
    await asyncio.to_thread(os.read, reading, 3)
    line.signals.send(signal.SIGINT)
    line.signals.send(signal.SIGINT)
    assert await asyncio.wait_for(task, 20) == 255
    os.close(reading)
    os.close(writing)


async def test_a_size_that_changed_while_we_were_stopped_is_told(line: CommandLine) -> None:
    """SIGWINCH goes to the job in the foreground; what was stopped learns of it at SIGCONT."""
    master, slave = os.openpty()
    reading, writing = os.pipe()
    script = 'trap "stty size; exit 4" WINCH; echo up; while :; do sleep 0.01; done'
    argv = ["sandbox", "exec", "--tty", "-n", "web", "--", "sh", "-c", script]
    task = asyncio.create_task(run(argv, line.context(slave, writing, None)))
    assert await asyncio.to_thread(os.read, reading, 100) == b"up\r\n"
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 132, 0, 0))
    line.signals.send(signal.SIGCONT)
    assert await asyncio.wait_for(task, 20) == 4
    assert os.read(reading, 100) == b"50 132\r\n"
    for descriptor in (master, slave, reading, writing):
        os.close(descriptor)


async def test_nobody_reads_the_output(line: CommandLine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    context = line.context(None, writing, None)
    assert await run(["sandbox", "exec", "-n", "web", "--", "sh", "-c", "while :; do echo y; done"], context) == 141
    os.close(writing)


async def test_a_full_disk_under_the_output_is_told(line: CommandLine) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    reading, writing = os.pipe()
    assert await run(["sandbox", "exec", "-n", "web", "--", "echo", "x"], line.context(None, full, writing)) == 1
    os.close(full)
    os.close(writing)
    assert "No space left on device" in drained(reading)


async def test_a_lost_gateway_is_255_with_a_reason(line: CommandLine, gateway: FakeGateway) -> None:
    reading, writing = os.pipe()
    err_reading, err_writing = os.pipe()
    context = line.context(None, writing, err_writing)
    task = asyncio.create_task(
        run(["sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo up; exec sleep 60"], context)
    )
    await asyncio.to_thread(os.read, reading, 3)
    await gateway.cut()
    assert await asyncio.wait_for(task, 20) == 255
    os.close(err_writing)
    assert drained(err_reading).startswith("error: connection lost before the command's status arrived: ")
    os.close(reading)
    os.close(writing)


async def test_refusals(line: CommandLine, gateway: FakeGateway) -> None:
    done = await line("sandbox", "exec", "-n", "nobody", "--", "true")
    assert (done.code, done.err) == (1, "error: sandbox 'nobody' does not exist\n")
    gateway.refuse["ForwardTcp"] = OpenShellError(Code.PRECONDITION, "web is \x1b]0;evil\x07Completed")
    done = await line("sandbox", "exec", "-n", "web", "--", "true")
    assert done.code == 1
    assert "\x1b" not in done.err and "Completed" in done.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--"], "no command was given"),
        (["-n", "a/b", "--", "true"], "sandbox name 'a/b' is not valid"),
        (["-n", "a\nb", "--", "true"], "is not valid"),
        (["-n", "a" * 64, "--", "true"], "is not valid"),
        (["-n", "", "--", "true"], "is not valid"),
        (["-n", "web", "--env", "novalue", "--", "true"], "KEY=VALUE"),
        (["-n", "web", "--env", "A=" + "x" * (1 << 20), "--", "true"], "over the limit of 131071 bytes"),
        (["-n", "web", "--workdir", "relative", "--", "true"], "not absolute"),
        (["-n", "web", "--timeout", "-1", "--", "true"], "--timeout"),
        (["-n", "web", "--timeout", "nan", "--", "true"], "timeout"),
        (["-n", "web", "--", "a\0b"], "NUL"),
        (["-n", "web", "--", *(["x"] * 1025)], "over the limit of 1024"),
        (["web", "--", "true"], "name the sandbox with -n"),
        (["-n", "web", "--nonsense", "--", "true"], "No such option"),
    ],
)
async def test_wrong_use_is_2_and_one_line(line: CommandLine, gateway: FakeGateway, argv: list[str], told: str) -> None:
    done = await line("sandbox", "exec", *argv)
    assert done.code == 2
    assert told in done.err
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert not gateway.inits


async def test_argv_and_environment_up_to_the_limit(line: CommandLine) -> None:
    quarter = "x" * (120 * 1024)
    eight = [f"--env=V{n}={quarter}" for n in range(8)]
    done = await line("sandbox", "exec", "-n", "web", *eight, "--", "sh", "-c", 'printf %s "$V0$V7" | wc -c')
    assert (done.code, done.out.strip()) == (0, str(2 * len(quarter)))
    nine = [f"--env=V{n}={quarter}" for n in range(9)]
    done = await line("sandbox", "exec", "-n", "web", *nine, "--", "true")
    assert done.code == 2
    assert "over the limit of 1048576 bytes" in done.err


async def test_token_says_who_calls(line: CommandLine, gateway: FakeGateway) -> None:
    await line("sandbox", "exec", "-n", "web", "--", "true", environ={"OPENSHELL_TOKEN": "abc"})
    assert gateway.authorizations[-1] == "Bearer abc"
    (line.directory / "token").write_text("from-file\n")
    await line("sandbox", "exec", "-n", "web", "--token-file", "token", "--", "true")
    assert gateway.authorizations[-1] == "Bearer from-file"

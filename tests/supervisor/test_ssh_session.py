"""One session against a fake channel: order of the end, back-pressure, what comes too early or too late."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.supervisor import ssh_session
from pyopenshell.supervisor.ssh_session import FAILED, NOT_FOUND, SshSession, signal_name
from tests.support.local_init import LocalInit


class FakeChannel:
    """Writes down what the session does."""

    def __init__(self) -> None:
        self.acts: list[tuple[object, ...]] = []
        self.env: dict[bytes, bytes] = {}
        self.closing = False
        self.over = asyncio.Event()
        self.wrote = asyncio.Event()

    def write(self, data: bytes, datatype: int | None = None) -> None:
        if self.closing:
            raise BrokenPipeError
        self.acts.append(("write", data, datatype))
        self.wrote.set()

    def write_eof(self) -> None:
        self.acts.append(("eof",))

    def exit(self, status: int) -> None:
        self.acts.append(("exit", status))
        self.over.set()

    def exit_with_signal(self, name: str) -> None:
        self.acts.append(("signal", name))
        self.over.set()

    def pause_reading(self) -> None:
        self.acts.append(("pause",))

    def resume_reading(self) -> None:
        self.acts.append(("resume",))

    def is_closing(self) -> bool:
        return self.closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.acts.append(("limits", high, low))

    def get_environment_bytes(self) -> Mapping[bytes, bytes]:
        return self.env

    def out(self, datatype: int | None = None) -> bytes:
        return b"".join(act[1] for act in self.acts if act[0] == "write" and act[2] == datatype)  # type: ignore[misc]


class Made:
    def __init__(self, init: LocalInit) -> None:
        self.init = init
        self.tasks: list[asyncio.Task[None]] = []
        self.writable = asyncio.Event()
        self.writable.set()
        self.channel = FakeChannel()
        self.session = SshSession(init, "/bin/sh", self.writable, self.tasks.append)  # type: ignore[arg-type]
        self.session.connection_made(self.channel)

    async def run(self, command: str) -> list[tuple[object, ...]]:
        assert self.session.exec_requested(command)
        self.session.session_started()
        await self.channel.over.wait()
        await asyncio.wait(self.tasks)
        return [act for act in self.channel.acts if act[0] not in ("limits", "write")]


@pytest.fixture
async def made() -> AsyncIterator[Made]:
    async with LocalInit() as init:
        one = Made(init)
        yield one
        one.session.connection_lost(None)
        if one.tasks:
            await asyncio.wait(one.tasks)


async def test_the_end_comes_after_the_last_byte_and_before_the_status(made: Made) -> None:
    assert await made.run("echo a; echo b >&2; exit 3") == [("eof",), ("exit", 3)]
    assert (made.channel.out(), made.channel.out(1)) == (b"a\n", b"b\n")


async def test_a_signal_has_its_name(made: Made) -> None:
    assert await made.run("kill -KILL $$") == [("eof",), ("signal", "KILL")]


@pytest.mark.parametrize(("number", "name"), [(9, "KILL"), (signal.SIGBUS, "BUS@openssh.com"), (60, "60@openssh.com")])
def test_names_of_signals(number: int, name: str) -> None:
    assert signal_name(number) == name


async def test_input_before_the_start_is_kept(made: Made) -> None:
    made.session.data_received(b"early", None)
    assert made.session.eof_received()
    await made.run("cat")
    assert made.channel.out() == b"early"


async def test_input_that_nobody_reads_stops_the_client(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_session, "INPUT_HIGH", 10)
    monkeypatch.setattr(ssh_session, "INPUT_LOW", 5)
    for _ in range(3):
        made.session.data_received(b"123456", None)
    made.session.eof_received()
    acts = await made.run("cat")
    assert [act[0] for act in acts] == ["pause", "resume", "eof", "exit"]
    assert made.channel.out() == b"123456" * 3


async def test_a_full_window_and_a_full_socket_stop_the_process(made: Made) -> None:
    made.session.pause_writing()
    made.writable.clear()
    made.session.exec_requested("echo a; echo b >&2")
    made.session.session_started()
    await made.channel.wrote.wait()
    made.session.resume_writing()
    await asyncio.sleep(0)
    assert not made.channel.over.is_set()
    made.writable.set()
    await made.channel.over.wait()
    assert (made.channel.out(), made.channel.out(1)) == (b"a\n", b"b\n")


async def test_a_terminal_has_type_size_and_modes(made: Made) -> None:
    assert made.session.pty_requested("vt220", (90, 30, 0, 0), {53: 0})
    made.session.terminal_size_changed(91, 31, 0, 0)
    made.session.data_received(b"x", None)
    assert await made.run("stty size; stty -a | grep -o -- '-echo '; echo $TERM") == [("eof",), ("exit", 0)]
    assert made.channel.out().split() == [b"31", b"91", b"-echo", b"vt220"]
    assert made.session.break_received(1)


async def test_without_a_terminal_there_is_no_size(made: Made) -> None:
    made.session.terminal_size_changed(1, 1, 0, 0)
    assert not made.session.break_received(1)
    made.session.signal_received("TERM")  # nothing runs yet
    assert await made.run("true") == [("eof",), ("exit", 0)]


async def test_a_huge_size_is_cut(made: Made) -> None:
    made.session.pty_requested("x", (2**32 - 1, 2**32 - 1, 0, 0), {})
    await made.run("stty size")
    assert made.channel.out().split() == [b"65535", b"65535"]


async def test_a_shell_is_a_login_shell(made: Made) -> None:
    assert made.session.shell_requested()
    made.session.data_received(b"echo $-; exit 6\n", None)
    made.session.eof_received()
    made.session.session_started()
    await made.channel.over.wait()
    assert made.channel.acts[-1] == ("exit", 6)


async def test_what_cannot_start_is_said(made: Made) -> None:
    made.session._shell = "/no/such/shell"
    assert await made.run("true") == [("exit", NOT_FOUND)]
    assert b"/no/such/shell" in made.channel.out(1)


async def test_a_lost_sandbox_is_said(made: Made) -> None:
    made.init.fail = OpenShellError(Code.UNAVAILABLE, "the sandbox is gone")
    assert await made.run("true") == [("exit", FAILED)]
    assert made.channel.out(1) == b"the sandbox is gone\r\n"


async def test_a_channel_that_closed_under_the_output(made: Made) -> None:
    made.session.exec_requested("while :; do echo y; done")
    made.session.session_started()
    await made.channel.wrote.wait()
    made.channel.closing = True
    await asyncio.wait(made.tasks)
    assert (await made.init.spawned[0].wait()).signal == signal.SIGHUP


async def test_a_signal_reaches_the_process(made: Made) -> None:
    made.session.exec_requested("trap 'exit 5' USR1; echo up; while :; do sleep 0.01; done")
    made.session.session_started()
    await made.channel.wrote.wait()
    made.session.signal_received("NOSUCH")
    made.session.signal_received("USR1")
    await made.channel.over.wait()
    assert made.channel.acts[-1] == ("exit", 5)

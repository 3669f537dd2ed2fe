"""The command as a process of its own: closed descriptors, pipes that nobody reads, a real terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.cli.main import this_program
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine

PROGRAM = (sys.executable, "-m", "pyopenshell.cli.main")
PIPE = asyncio.subprocess.PIPE
PATIENCE = 30.0  # seconds; only reached where something hangs


async def start(line: CommandLine, *argv: str, **streams) -> asyncio.subprocess.Process:
    streams = {"stdin": asyncio.subprocess.DEVNULL, "stdout": PIPE, "stderr": PIPE} | streams
    return await asyncio.create_subprocess_exec(*PROGRAM, *argv, env=line.environ, cwd=line.directory, **streams)


async def finish(process: asyncio.subprocess.Process, data: bytes | None = None) -> tuple[int, bytes, bytes]:
    out, err = await asyncio.wait_for(process.communicate(data), PATIENCE)
    assert process.returncode is not None
    return process.returncode, out or b"", err or b""


async def test_a_command_through_pipes(line: CommandLine) -> None:
    process = await start(
        line, "sandbox", "exec", "-n", "web", "--", "sh", "-c", "cat; echo err >&2; exit 9", stdin=PIPE
    )
    assert await finish(process, b"x" * 1_000_000) == (9, b"x" * 1_000_000, b"err\n")


SHOW = """
import signal, sys
if sys.argv[2:]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.argv[0] = sys.argv[1]
import pyopenshell.cli.main
found = signal.getsignal(signal.SIGINT)
print(getattr(found, "name", "a function"))
"""


@pytest.mark.parametrize(
    ("argv", "handler"),
    [(("/usr/bin/openshell",), "SIG_DFL"), (("pytest",), "a function"),
     (("openshell", "ignored"), "SIG_IGN")],
)  # fmt: skip
def test_an_interrupt_is_quiet_from_the_first_moment_on(argv: tuple[str, ...], handler: str) -> None:
    done = subprocess.run([sys.executable, "-c", SHOW, *argv], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == handler


async def test_an_interrupt_during_the_imports_prints_nothing(line: CommandLine) -> None:
    trap = line.directory / "trap"
    trap.mkdir()
    (trap / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise SystemExit(9)\n")
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "status", env={**line.environ, "PYTHONPATH": f"{trap}:{os.environ.get('PYTHONPATH', '')}"},
        stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert await finish(process) == (-signal.SIGINT, b"", b"")


async def test_an_input_that_stays_open_holds_nobody_up(line: CommandLine) -> None:
    process = await start(line, "sandbox", "exec", "-n", "web", "--", "echo", "hi", stdin=PIPE)
    assert process.stdout is not None and process.stdin is not None
    assert await asyncio.wait_for(process.stdout.read(), PATIENCE) == b"hi\n"
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    process.stdin.close()


async def test_closed_standard_descriptors_are_never_mistaken_for_others(line: CommandLine) -> None:
    shell = f'exec {sys.executable} -m pyopenshell.cli.main sandbox exec -n web -- sh -c "cat; echo hi" <&- >&-'
    process = await asyncio.create_subprocess_exec("sh", "-c", shell, env=line.environ, stderr=PIPE)
    assert await finish(process) == (0, b"", b"")
    shell = f"exec {sys.executable} -m pyopenshell.cli.main sandbox list >&-"
    process = await asyncio.create_subprocess_exec("sh", "-c", shell, env=line.environ, stderr=PIPE)
    assert await finish(process) == (1, b"", b"error: the standard output is closed\n")


async def test_a_reader_that_leaves(line: CommandLine) -> None:
    script = f"{sys.executable} -m pyopenshell.cli.main sandbox exec -n web -- yes | head -n 1"
    process = await asyncio.create_subprocess_exec("sh", "-c", script, env=line.environ, stdout=PIPE, stderr=PIPE)
    assert await finish(process) == (0, b"y\n", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_without_a_terminal_ends_the_remote_command(line: CommandLine, number: signal.Signals) -> None:
    process = await start(line, "sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo up; exec sleep 60")
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    process.send_signal(number)
    code, _, _ = await finish(process)
    assert code == 128 + number


async def test_losing_the_client_ends_the_remote_command(line: CommandLine, tmp_path: Path) -> None:
    process = await start(line, "sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo $$; exec sleep 60")
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    ended = os.pidfd_open(pid)
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(ended, over.set)
    process.kill()
    await process.wait()
    await asyncio.wait_for(over.wait(), PATIENCE)
    asyncio.get_running_loop().remove_reader(ended)
    os.close(ended)


class Screen:
    """A real terminal: the far side of a PTY, read as it fills."""

    def __init__(self, cols: int, rows: int) -> None:
        self.master, self.slave = pty.openpty()
        self.seen = b""
        self._readable = asyncio.Event()
        self.resize(cols, rows)
        os.set_blocking(self.master, False)
        asyncio.get_running_loop().add_reader(self.master, self._readable.set)

    def resize(self, cols: int, rows: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            while text not in self.seen:
                await self._readable.wait()
                self._readable.clear()
                try:
                    self.seen += os.read(self.master, 65536)
                except (BlockingIOError, OSError):
                    continue

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
async def screen() -> AsyncIterator[Screen]:
    made = Screen(80, 24)
    yield made
    made.close()


async def on_screen(line: CommandLine, screen: Screen, *argv: str) -> asyncio.subprocess.Process:
    """The command in a session of its own, with the screen as its controlling terminal."""
    return await asyncio.create_subprocess_exec(
        "setsid", "-c", "-w", *PROGRAM, *argv,
        stdin=screen.slave, stdout=screen.slave, stderr=screen.slave, env=line.environ | {"TERM": "xterm"},
    )  # fmt: skip


async def test_a_terminal_raw_resized_interrupted_and_restored(line: CommandLine, screen: Screen) -> None:
    screen.resize(100, 40)
    before = termios.tcgetattr(screen.slave)
    script = 'trap "stty size" WINCH; trap "exit 5" INT; stty size; echo "T=$TERM"; while :; do sleep 0.01; done'
    process = await on_screen(line, screen, "sandbox", "exec", "-n", "web", "--", "sh", "-c", script)
    await screen.until(b"40 100\r\nT=xterm")
    assert not termios.tcgetattr(screen.slave)[3] & termios.ICANON
    screen.resize(132, 50)
    await screen.until(b"50 132")
    screen.type(b"\x03")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 5
    assert termios.tcgetattr(screen.slave) == before


async def test_keys_go_through_and_the_local_way_out_works(line: CommandLine, screen: Screen) -> None:
    before = termios.tcgetattr(screen.slave)
    process = await on_screen(line, screen, "sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo up; exec cat")
    await screen.until(b"up\r\n")
    screen.type(b"hello~.\r")
    await screen.until(b"hello~.\r\nhello~.\r\n")
    screen.type(b"~.")
    await screen.until(b"disconnected")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 255
    assert termios.tcgetattr(screen.slave) == before


async def test_a_lost_gateway_restores_the_terminal(line: CommandLine, screen: Screen, gateway: FakeGateway) -> None:
    before = termios.tcgetattr(screen.slave)
    process = await on_screen(line, screen, "sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo up; exec cat")
    await screen.until(b"up\r\n")
    await gateway.cut()
    await screen.until(b"error: connection lost")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 255
    assert termios.tcgetattr(screen.slave) == before


async def test_going_on_after_a_stop_is_raw_again(line: CommandLine, screen: Screen) -> None:
    """What a shell does at Ctrl-Z and `fg`: its own mode on the terminal, then SIGCONT."""
    before = termios.tcgetattr(screen.slave)
    script = "stty raw -echo; echo up; dd bs=1 count=1 >/dev/null 2>&1; echo got"
    process = await on_screen(line, screen, "sandbox", "exec", "-n", "web", "--", "sh", "-c", script)
    await screen.until(b"up")
    process.send_signal(signal.SIGSTOP)
    await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    termios.tcsetattr(screen.slave, termios.TCSANOW, before)
    process.send_signal(signal.SIGCONT)
    screen.type(b"x")  # without an end of line: a terminal that is not raw keeps it
    await screen.until(b"got")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert termios.tcgetattr(screen.slave) == before


async def test_connect_opens_a_shell(line: CommandLine, screen: Screen) -> None:
    process = await on_screen(line, screen, "sandbox", "connect", "web")
    screen.type(b"echo shell-$((40+2)); exit 3\r")
    await screen.until(b"shell-42")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 3


async def test_ctrl_c_at_a_question_is_an_answer(line: CommandLine, screen: Screen, gateway: FakeGateway) -> None:
    process = await on_screen(line, screen, "sandbox", "delete", "--all")
    await screen.until(b"[y/N] ")
    screen.type(b"\x03")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 130
    assert list(gateway.sandboxes) == ["web"]


async def test_no_terminal_on_request(line: CommandLine, screen: Screen) -> None:
    process = await on_screen(line, screen, "sandbox", "exec", "--no-tty", "-n", "web", "--", "sh", "-c", "tty; exit 0")
    await screen.until(b"not a tty")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


def test_an_interrupt_while_modules_are_imported_is_no_traceback(tmp_path: Path) -> None:
    """The first import of our own that `main` makes is interrupted."""
    script = (
        "import sys\n"
        "class Ctrl_C:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('pyopenshell.cli.') or name == 'pathlib': raise KeyboardInterrupt\n"
        "from pyopenshell.cli.main import main\n"
        "sys.meta_path.insert(0, Ctrl_C())\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_this_program_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "open shell" / "openshell"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(script.parent)
    assert this_program("./openshell") == (str(script),)
    assert this_program("/no/such") == PROGRAM
    assert this_program(__file__) == PROGRAM

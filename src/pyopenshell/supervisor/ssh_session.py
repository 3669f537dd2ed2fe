"""One session channel of SSH (RFC 4254 section 6): a shell, or a command through the login shell.

    channel ─ pty-req, env ─ shell | exec ─ init spawns ─ Command pumps ─ EOF ─ exit-status | exit-signal ─ close

The user's processes are init's, not this process's: here are only their pipes or their terminal. Output stops at the
channel's window and at the connection's socket, input at the process's pipe. A channel that the client closes ends its
process group (HUP, then KILL), as `command.py` says; what left the session lives on.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import asyncssh

from pyopenshell.errors import OpenShellError
from pyopenshell.model import ExecSpec, TerminalSize
from pyopenshell.supervisor.command import Command
from pyopenshell.supervisor.init_client import Exit, SpawnClient, StartError
from pyopenshell.supervisor.ssh_modes import apply_modes

INPUT_HIGH = 512 * 1024  # bytes of input that wait, after which the channel's window is no longer given back
INPUT_LOW = 128 * 1024
OUTPUT_HIGH = 256 * 1024  # bytes that wait for the client's window, after which the process is held up
OUTPUT_LOW = 64 * 1024
NOT_FOUND = 127  # what a shell says of a command that it could not start
FAILED = 255  # what ssh(1) says of everything that failed before the command
DIMENSION_MAX = 0xFFFF  # struct winsize holds 16 bits
END_OF_FILE = b"\x04"  # VEOF of a terminal, termios(3)
STDERR = 1  # SSH_EXTENDED_DATA_STDERR, RFC 4254 section 5.2

#: Signal names without SIG, as RFC 4254 section 6.10 writes them.
SIGNALS = {name[3:]: int(number) for name, number in signal.Signals.__members__.items() if not name.startswith("SIG_")}
_NAMES = {number: name for name, number in SIGNALS.items()}
_STANDARD = frozenset(
    {"ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1", "USR2"}
)


def signal_name(number: int) -> str:
    """The name of an exit-signal; one that the RFC does not name carries the suffix that OpenSSH gives it."""
    name = _NAMES.get(number, str(number))
    return name if name in _STANDARD else f"{name}@openssh.com"


class Channel(Protocol):
    """What a session uses of asyncssh's SSHServerChannel."""

    def write(self, data: bytes, datatype: int | None = None) -> None: ...
    def write_eof(self) -> None: ...
    def exit(self, status: int) -> None: ...
    def exit_with_signal(self, name: str) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def is_closing(self) -> bool: ...
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def get_environment_bytes(self) -> Mapping[bytes, bytes]: ...


class SshSession(asyncssh.SSHServerSession[bytes]):
    """`writable` is the connection's: clear while its socket is full. `keep` holds the session's task until it is done."""

    _chan: Channel

    def __init__(
        self, spawner: SpawnClient, shell: str, writable: asyncio.Event, keep: Callable[[asyncio.Task[None]], None]
    ) -> None:
        self._spawner = spawner
        self._shell = shell
        self._writable = writable
        self._keep = keep
        self._size: TerminalSize | None = None
        self._modes: dict[int, int] = {}
        self._env: dict[str, str] = {}
        self._argv: tuple[str, ...] = ()
        self._command: Command | None = None
        self._task: asyncio.Task[None] | None = None
        self._input: deque[bytes] = deque()
        self._waiting = 0
        self._ended = False
        self._paused = False
        self._changed = asyncio.Event()
        self._resumed = asyncio.Event()
        self._resumed.set()

    # --- the channel's requests ---------------------------------------------------------------------------------------

    def connection_made(self, chan: Channel) -> None:
        self._chan = chan
        chan.set_write_buffer_limits(OUTPUT_HIGH, OUTPUT_LOW)

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        self._env["TERM"] = term_type
        self._size = _size(term_size[0], term_size[1])
        self._modes = dict(term_modes)
        return True

    def shell_requested(self) -> bool:
        self._argv = (self._shell, "-l")
        return True

    def exec_requested(self, command: str) -> bool:
        self._argv = (self._shell, "-c", command)
        return True

    def session_started(self) -> None:
        self._task = asyncio.create_task(self._run())
        self._keep(self._task)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:  # noqa: ARG002
        if self._size is not None:
            self._size = _size(width, height)
            if self._command is not None:
                self._command.resize(self._size)

    def signal_received(self, signal: str) -> None:
        number = SIGNALS.get(signal)
        if number is not None and self._command is not None:
            self._keep(asyncio.create_task(self._command.signal(number)))

    def break_received(self, msec: int) -> bool:  # noqa: ARG002
        return self._size is not None  # a PTY has no line to break: obeyed without effect, as sshd(8)

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002
        self._input.append(data)
        self._waiting += len(data)
        self._changed.set()
        if self._waiting > INPUT_HIGH and not self._paused:
            self._paused = True
            self._chan.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        self._changed.set()
        return True  # the end of input is not the end of output

    def pause_writing(self) -> None:
        self._resumed.clear()

    def resume_writing(self) -> None:
        self._resumed.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._task is not None:
            self._task.cancel()

    # --- the process --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            env = {**_text(self._chan.get_environment_bytes()), **self._env}
            process = await self._spawner.spawn(ExecSpec(argv=self._argv, env=env, terminal=self._size))
        except OpenShellError as error:
            if not self._chan.is_closing():
                self._chan.write(error.message.encode("utf-8", "replace") + b"\r\n", STDERR)
                self._chan.exit(NOT_FOUND if isinstance(error, StartError) else FAILED)
            return
        if process.terminal >= 0:
            apply_modes(process.terminal, self._modes)
        self._command = Command(process, self._stdout, self._stderr)
        if self._size is not None:
            self._command.resize(self._size)  # it may have changed since the spawn was asked for
        feeding = asyncio.create_task(self._feed(self._command))
        try:
            how = await self._command.run()
        except (BrokenPipeError, OpenShellError):  # the channel closed under the output, or the sandbox is gone
            if not self._chan.is_closing():
                self._chan.exit(FAILED)
            return
        finally:
            feeding.cancel()
        await self._say(how)

    async def _say(self, how: Exit) -> None:
        """EOF after the last byte, then how it ended, then the close: scp of macOS needs this order."""
        self._chan.set_write_buffer_limits(0, 0)
        await self._resumed.wait()
        if self._chan.is_closing():
            return
        self._chan.write_eof()
        if how.signal:
            self._chan.exit_with_signal(signal_name(how.signal))
        else:
            self._chan.exit(how.code)

    async def _stdout(self, data: bytes) -> None:
        await self._out(data, None)

    async def _stderr(self, data: bytes) -> None:
        await self._out(data, STDERR)

    async def _out(self, data: bytes, datatype: int | None) -> None:
        self._chan.write(data, datatype)
        if not self._resumed.is_set():
            await self._resumed.wait()
        if not self._writable.is_set():
            await self._writable.wait()

    async def _feed(self, command: Command) -> None:
        while True:
            while self._input:
                data = self._input.popleft()
                await command.stdin.write(data)
                self._waiting -= len(data)
                if self._paused and self._waiting <= INPUT_LOW:
                    self._paused = False
                    self._chan.resume_reading()
            if self._ended:
                break
            self._changed.clear()
            await self._changed.wait()
        if self._size is not None:
            await command.stdin.write(END_OF_FILE)
        else:
            command.stdin.close()


def _text(env: Mapping[bytes, bytes]) -> dict[str, str]:
    return {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()}


def _size(cols: int, rows: int) -> TerminalSize:
    return TerminalSize(min(cols, DIMENSION_MAX), min(rows, DIMENSION_MAX))

"""Starts a process of the sandbox: pipes or a terminal, fork, identity, exec.

The child tells a failed exec through a close-on-exec pipe: end of file there means that the command runs, anything else is
`{errno, message}`. Init waits for it in its event loop, never blocking: where all are one user, an agent may stop the child
between fork and exec.

    fork ── setsid ── terminal or pipes on 0,1,2 ── signals to default ── identity ── chdir ── exec
                                                                                     └ each failure names itself
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import struct
import termios
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pyopenshell.linux.enter import Door, enter
from pyopenshell.linux.ids import Ids
from pyopenshell.supervisor import init_env

#: A message of a failed start is one pipe write, so it arrives whole (PIPE_BUF, pipe(7)).
REPORT_MAX = 4096
_SHOWN = 200  # characters of a name in a message
_EXIT_NOT_STARTED = 127  # what a shell says of a command that it could not start; nobody reads it
_UMASK = 0o022


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, as it arrived in the memfd; `size` is (cols, rows) of a terminal."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    workdir: str
    login: bool
    size: tuple[int, int] | None

    @classmethod
    def parse(cls, data: bytes) -> Command:
        """Read what `InitClient` wrote. Raises ValueError, KeyError, TypeError for anything else."""
        raw: dict[str, Any] = json.loads(data)
        size = raw["size"]
        return cls(
            argv=tuple(raw["argv"]),
            env=dict(raw["env"]),
            workdir=raw["workdir"],
            login=bool(raw["login"]),
            size=None if size is None else (int(size[0]), int(size[1])),
        )


@dataclass(slots=True)
class Started:
    """A forked child: `report` tells about its exec; the other descriptors are the asker's (-1 where there is none)."""

    pid: int
    report: int
    stdin: int = -1
    stdout: int = -1
    stderr: int = -1
    terminal: int = -1

    @property
    def descriptors(self) -> list[int]:
        """Those of the asker, in the order of the wire: the terminal, or stdin, stdout, stderr."""
        return [fd for fd in (self.terminal, self.stdin, self.stdout, self.stderr) if fd >= 0]


class NotStarted(Exception):
    """Raised in the child alone: why the command cannot run, fit to show."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True, slots=True)
class Spawner:
    """Starts commands as the user of `ids`; `env` and `workdir` are what a command has where it names none."""

    env: Mapping[str, str]
    workdir: str
    ids: Ids

    def start(self, command: Command) -> Started:
        """Fork the command's process. Raises OSError where init has no room for it; nothing is left open then."""
        shell = init_env.login_shell()
        env = init_env.environment(self.env, command.env, shell=shell, terminal=command.size is not None)
        argv = init_env.login_argv(command.argv, shell) if command.login and os.access(shell, os.X_OK) else command.argv
        workdir = command.workdir or self.workdir
        with contextlib.ExitStack() as undo:
            opened = _Descriptors(undo)
            report, report_child = opened.pipe()
            if command.size is not None:
                with acting_as_user(self.ids):
                    master, slave = opened.terminal(command.size)
                started = Started(0, report, terminal=master)
                inner = (slave, slave, slave)
            else:
                stdin_child, stdin = opened.pipe()
                stdout, stdout_child = opened.pipe()
                stderr, stderr_child = opened.pipe()
                started = Started(0, report, stdin, stdout, stderr)
                inner = (stdin_child, stdout_child, stderr_child)
            started.pid = os.fork()
            if not started.pid:
                self._child(inner, report_child, command.size is not None, argv, env, workdir)
            undo.pop_all()
        for fd in {*inner, report_child}:
            os.close(fd)
        return started

    def _child(
        self,
        inner: tuple[int, int, int],
        report: int,
        terminal: bool,
        argv: tuple[str, ...] | list[str],
        env: Mapping[str, str],
        workdir: str,
    ) -> NoReturn:
        try:
            os.setsid()
            if terminal:
                fcntl.ioctl(inner[0], termios.TIOCSCTTY, 0)
            for number, fd in enumerate(inner):
                os.dup2(fd, number)
            _default_signals()
            os.umask(_UMASK)
            enter(Door(self.ids, self.ids.sandbox_uid, self.ids.sandbox_gid, keep=frozenset({0, 1, 2, report})))
            _go_to(workdir)
            _execute(argv, env)
        except NotStarted as failure:
            _tell(report, str(failure), failure.number)
        except OSError as failure:
            _tell(report, f"the process could not be set up: {failure.strerror}", failure.errno or errno.EIO)
        except BaseException as failure:  # the child must not run init's code further, whatever happened
            _tell(report, f"the process could not be set up: {type(failure).__name__}", errno.EIO)
        finally:
            os._exit(_EXIT_NOT_STARTED)


@contextlib.contextmanager
def acting_as_user(ids: Ids) -> Iterator[None]:
    """Do something as the user `sandbox`: open a terminal that is the user's, send a signal. Nothing to do in `single`.

    Init is single-threaded, so that changing the effective ids for a moment is seen by nobody else (seteuid(2)).
    """
    if not ids.many:
        yield
        return
    os.setegid(ids.sandbox_gid)
    os.seteuid(ids.sandbox_uid)
    try:
        yield
    finally:
        os.seteuid(ids.init_uid)
        os.setegid(ids.init_gid)


class _Descriptors:
    """Opens descriptors above the standard three, and closes them where the spawn fails half-way."""

    def __init__(self, undo: contextlib.ExitStack) -> None:
        self._undo = undo

    def pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self._undo.callback(os.close, reader)
        self._undo.callback(os.close, writer)
        return reader, writer

    def terminal(self, size: tuple[int, int]) -> tuple[int, int]:
        master, slave = os.openpty()
        self._undo.callback(os.close, master)
        self._undo.callback(os.close, slave)
        cols, rows = size
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows & 0xFFFF, cols & 0xFFFF, 0, 0))
        return master, slave


def _default_signals() -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _go_to(workdir: str) -> None:
    try:
        os.chdir(workdir)
    except OSError as failure:
        shown = printable(workdir)
        raise NotStarted(f"working directory {shown}: {(failure.strerror or 'error').lower()}", failure.errno) from None


def _execute(argv: tuple[str, ...] | list[str], env: Mapping[str, str]) -> NoReturn:
    program = argv[0]
    shown = printable(program)
    number = errno.ENOENT
    for path in init_env.candidates(program, env.get("PATH", init_env.DEFAULT_PATH)):
        try:
            os.execve(path, argv, env)
        except (FileNotFoundError, NotADirectoryError):
            if os.path.isfile(path):  # noqa: PTH113 (pathlib costs an import of nothing here, but objects in a forked child)
                raise NotStarted(f"{shown}: its interpreter or loader was not found", errno.ENOENT) from None
        except PermissionError:
            number = errno.EACCES
        except OSError as failure:
            raise NotStarted(f"{shown}: {(failure.strerror or 'error').lower()}", failure.errno) from None
    if number == errno.EACCES:
        raise NotStarted(f"permission denied: {shown}", number)
    raise NotStarted(f"command not found: {shown}", number)


def _tell(report: int, message: str, number: int) -> None:
    with contextlib.suppress(OSError):
        os.write(report, json.dumps({"errno": number, "message": message}).encode()[:REPORT_MAX])


def read_report(data: bytes) -> tuple[str, int] | None:
    """What came out of the report's pipe: None where the command runs, else the reason and its errno."""
    if not data:
        return None
    try:
        raw = json.loads(data)
        return str(raw["message"]), int(raw["errno"])
    except (ValueError, KeyError, TypeError):
        return "the process could not be set up", errno.EIO


def printable(text: str) -> str:
    """`text` cut to what a message shows, without control characters or halves of surrogates."""
    return "".join(char if char.isprintable() else "?" for char in text[:_SHOWN])

"""Starts a process of the sandbox: pipes or a terminal, the user's identity, exec.

By posix_spawn(3), which shares init's memory until the exec: a fork of a Python process costs some milliseconds of
copied pages, this well under one. So no code of ours runs in the child, and what it must be, init is already: in the
sandbox's cgroup and namespaces, under Landlock and the system call filter, with no_new_privs, an empty bounding set, no
groups (in the shape `single` the user's), the resource limits. What is left is the user id. Init lends it for the moment of
the spawn: real id `sandbox`, effective id root, and POSIX_SPAWN_RESETIDS makes the child's effective id the real one; the
exec then copies it to the saved id and clears every capability (capabilities(7), "Transformation of capabilities during
execve"). In the shape `single` init is the user.

What may fail for the user's own reasons is done first, as the user, so that the error can name it: the working
directory, the way along PATH. All of it is done in init itself, which is single-threaded: no other code of init runs
meanwhile. The sandbox does see its ids change (/proc/1/status) and may signal it for that moment, to no effect: process 1
of a pid namespace hears only signals that it handles (pid_namespaces(7)), which is SIGCHLD, and its capabilities keep its
priority and its processors its own (sched_setaffinity(2) of a process with more capabilities than one's own is EPERM).
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyopenshell.linux.ids import Ids
from pyopenshell.supervisor import init_env

_SHOWN = 200  # characters of a name in a message
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)  # what Python and init handle or ignore


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
    """A process that runs its command; the descriptors are the asker's (-1 where there is none)."""

    pid: int = 0
    stdin: int = -1
    stdout: int = -1
    stderr: int = -1
    terminal: int = -1

    @property
    def descriptors(self) -> list[int]:
        """In the order of the wire: the terminal, or stdin, stdout, stderr."""
        return [fd for fd in (self.terminal, self.stdin, self.stdout, self.stderr) if fd >= 0]


class NotStarted(Exception):
    """Why the command cannot run, fit to show; `number` as of execve(2)."""

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
        """Start the command. Raises NotStarted, or OSError where init has no room; nothing stays open then."""
        shell = init_env.login_shell()
        env = init_env.environment(self.env, command.env, shell=shell, terminal=command.size is not None)
        with contextlib.ExitStack() as inner, contextlib.ExitStack() as undo:
            started = Started()
            with acting_as_user(self.ids):  # what is made is the user's, so that it can be opened again: /dev/stderr
                argv = command.argv
                if command.login and os.access(shell, os.X_OK, effective_ids=True):
                    argv = tuple(init_env.login_argv(argv, shell))
                inner.callback(os.chdir, "/")
                _go_to(command.workdir or self.workdir)
                path = _find(argv[0], env.get("PATH", init_env.DEFAULT_PATH))
                actions = _open(started, command.size, inner, undo)
            with _lending_user(self.ids):
                try:
                    started.pid = os.posix_spawn(
                        path,
                        argv,
                        env,
                        file_actions=actions,
                        setsid=True,
                        resetids=True,
                        setsigmask=(),
                        setsigdef=_DEFAULT_SIGNALS,
                    )
                except OSError as failure:
                    raise _explain(failure, argv[0]) from None
            undo.pop_all()
        return started


_Action = tuple[int, int, int] | tuple[int, int, str, int, int]


def _open(
    started: Started, size: tuple[int, int] | None, inner: contextlib.ExitStack, undo: contextlib.ExitStack
) -> Sequence[_Action]:
    """Open the asker's ends into `started`, and say how the child gets its own; `inner` closes those in init."""
    if size is not None:
        started.terminal, slave = os.openpty()
        undo.callback(os.close, started.terminal)
        inner.callback(os.close, slave)
        cols, rows = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows & 0xFFFF, cols & 0xFFFF, 0, 0))
        # Opened by name in the child, which leads a session without a terminal: so it becomes the controlling one
        # (tty(4)).
        stdin: _Action = (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0)
        return (stdin, (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2))
    ends = []
    for number in range(3):
        reader, writer = os.pipe2(os.O_CLOEXEC)
        mine, its = (writer, reader) if number == 0 else (reader, writer)
        undo.callback(os.close, mine)
        inner.callback(os.close, its)
        ends.append(mine)
        ends.append(its)
    started.stdin, stdin_its, started.stdout, stdout_its, started.stderr, stderr_its = ends
    return tuple((os.POSIX_SPAWN_DUP2, its, number) for number, its in enumerate((stdin_its, stdout_its, stderr_its)))


@contextlib.contextmanager
def acting_as_user(ids: Ids) -> Iterator[None]:
    """Do something as the user `sandbox`, without a capability (seteuid(2)). Nothing to do in the shape `single`."""
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


@contextlib.contextmanager
def _lending_user(ids: Ids) -> Iterator[None]:
    """Real ids of the user `sandbox`, effective and saved ids of init: what POSIX_SPAWN_RESETIDS turns into the user."""
    if not ids.many:
        yield
        return
    os.setresgid(ids.sandbox_gid, -1, -1)
    os.setresuid(ids.sandbox_uid, -1, -1)
    try:
        yield
    finally:
        os.setresuid(ids.init_uid, -1, -1)
        os.setresgid(ids.init_gid, -1, -1)


def _go_to(workdir: str) -> None:
    try:
        os.chdir(workdir)
    except OSError as failure:
        reason = (failure.strerror or "error").lower()
        raise NotStarted(f"working directory {printable(workdir)}: {reason}", failure.errno or errno.EIO) from None


def _find(program: str, path: str) -> str:
    """The file to execute, as execvp(3) finds it. Raises NotStarted."""
    number = errno.ENOENT
    for candidate in init_env.candidates(program, path):
        if os.access(candidate, os.X_OK, effective_ids=True) and not os.path.isdir(candidate):  # noqa: PTH112
            return candidate
        if os.path.lexists(candidate):
            number = errno.EACCES if os.path.exists(candidate) else errno.ENOENT  # noqa: PTH110
    if number == errno.EACCES:
        raise NotStarted(f"permission denied: {printable(program)}", number)
    raise NotStarted(f"command not found: {printable(program)}", number)


def _explain(failure: OSError, program: str) -> Exception:
    """What a failed spawn says: room that init lacks stays an OSError, all else is the command's own fault."""
    number = failure.errno or errno.EIO
    shown = printable(program)
    if number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        return failure
    if number == errno.ENOENT:  # the file itself was found a moment ago
        return NotStarted(f"{shown}: its interpreter or loader was not found", number)
    if number == errno.EACCES:
        return NotStarted(f"permission denied: {shown}", number)
    return NotStarted(f"{shown}: {os.strerror(number).lower()}", number)


def printable(text: str) -> str:
    """`text` cut to what a message shows, without control characters or halves of surrogates."""
    return "".join(char if char.isprintable() else "?" for char in text[:_SHOWN])

"""A fake of the supervisor's init: it starts processes on this machine, in no sandbox, with the same promises.

Every process leads its own session; descriptors are handed over to whoever spawned it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import pty
import signal
import socket
import struct
import subprocess
import termios
from pathlib import Path

from pyopenshell.model import ExecSpec
from pyopenshell.supervisor.init_client import DialError, Exit, StartError


class LocalProcess:
    def __init__(self, popen: subprocess.Popen[bytes], label: str, fds: tuple[int, int, int, int]) -> None:
        self._popen = popen
        self.pid = popen.pid
        self.label = label
        self.stdin, self.stdout, self.stderr, self.terminal = fds
        self.signals: list[int] = []
        self._ended = asyncio.ensure_future(self._watch())

    async def _watch(self) -> Exit:
        fd = os.pidfd_open(self.pid)
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_reader(fd, lambda: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_reader(fd)
            os.close(fd)
        code = self._popen.wait()
        return Exit(signal=-code) if code < 0 else Exit(code)

    async def wait(self) -> Exit:
        return await asyncio.shield(self._ended)

    def end_input(self) -> None:
        """Nobody else holds it open."""

    async def signal(self, signum: int, *, group: bool = True) -> None:
        self.signals.append(signum)
        if group or not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(self.pid, signum)


class LocalInit:
    """`spawn` and `dial` as InitClient has them. `async with`: ends whatever still runs."""

    def __init__(self, workdir: Path | None = None) -> None:
        self.workdir = workdir
        self.spawned: list[LocalProcess] = []
        self.processes: dict[int, LocalProcess] = {}
        self.ran: frozenset[str] = frozenset()
        self.fail: Exception | None = None

    async def __aenter__(self) -> LocalInit:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.spawned:
            await process.signal(signal.SIGKILL)
            await process.wait()

    async def spawn(self, spec: ExecSpec, *, label: str = "", keep: bool = False) -> LocalProcess:
        if self.fail is not None:
            raise self.fail
        env = {"PATH": os.environ["PATH"], "HOME": "/", "USER": "sandbox", **spec.env}
        argv = ["/bin/sh", "-lc", 'exec "$@"', "sh", *spec.argv] if spec.login else list(spec.argv)
        opened: list[int] = []
        if spec.terminal is not None:
            master, slave = pty.openpty()
            size = struct.pack("HHHH", spec.terminal.rows, spec.terminal.cols, 0, 0)
            fcntl.ioctl(master, termios.TIOCSWINSZ, size)
            ours, theirs = (-1, -1, -1, master), (slave, slave, slave)
            opened = [master, slave]
        else:
            (in_r, in_w), (out_r, out_w), (err_r, err_w) = os.pipe(), os.pipe(), os.pipe()
            ours, theirs = (in_w, out_r, err_r, -1), (in_r, out_w, err_w)
            opened = [in_r, in_w, out_r, out_w, err_r, err_w]

        def lead() -> None:
            if spec.terminal is not None:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        try:
            popen = subprocess.Popen(  # noqa: ASYNC220
                argv,
                stdin=theirs[0],
                stdout=theirs[1],
                stderr=theirs[2],
                env=env,
                cwd=spec.workdir or self.workdir,
                start_new_session=True,
                preexec_fn=lead,
            )
        except OSError as error:
            for fd in opened:
                os.close(fd)
            raise StartError(f"command not found: {argv[0]}", error.errno or errno.EIO) from error
        for fd in set(theirs):
            os.close(fd)
        process = LocalProcess(popen, label, ours)
        self.spawned.append(process)
        self.ran |= {label}
        return process

    async def ports(self) -> dict[str, object]:
        return {"ports": [], "truncated": False}

    async def dial(self, host: str, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
        except OSError as error:
            sock.close()
            raise DialError(f"nothing listens on {host}:{port} in the sandbox", error.errno or errno.EIO) from error
        return sock

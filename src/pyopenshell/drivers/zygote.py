"""The driver's side of the zygote: starts it, gives it orders, and starts another where it died.

The zygote is executed, never forked from the gateway, in a session of its own with an empty environment and one
descriptor (its order socket as standard input), so that nothing of the gateway reaches a sandbox's processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyopenshell
from pyopenshell.drivers.messages import Message, close_all, pair, wait_message, writable
from pyopenshell.drivers.orders import OrderKind, send_order
from pyopenshell.drivers.presence import Held
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import process
from pyopenshell.linux.steps import SetupFailed

_MODULE = "pyopenshell.supervisor.lean"
#: Isolated from the environment and the working directory. Not -OO: it would save 2 MB of docstrings, but a system's Python
#: has no such bytecode, and compiling at every start costs a second and 20 MB. The columns of a traceback cost 0.2 MB.
_FLAGS = ("-I", "-X", "no_debug_ranges")
#: Runs the module named by the second argument. The first is where this process found the package: isolated, the child
#: would find the one that is installed, which is another where this one runs from a source tree. It goes behind the
#: standard library, whose names it must not take.
_BEGIN = (
    "import runpy, sys; p = sys.path;"
    "p.insert(next((i for i, d in enumerate(p) if d.endswith('-packages')), len(p)), sys.argv[1]);"
    "runpy.run_module(sys.argv[2], run_name='__main__')"
)
_PACKAGE_AT = str(Path(pyopenshell.__file__).parents[1])
#: Its children overwrite their command lines with their titles, of which the longest has a name of 63 letters.
_ROOM = " " * 96
#: Nothing of the gateway's. A home and a name, because asyncssh asks for them where the user has none, and must find no
#: keys.
_ENVIRONMENT = {"HOME": "/nonexistent", "LOGNAME": "openshell"}
_LOG_MODE = 0o600
#: Importing everything takes half a second on a slow machine; building a sandbox milliseconds, unpacking is not waited
#: for here.
ANSWER_TIMEOUT = 30.0


class Zygote:
    """Starts its process with the first order; that of a process that died starts a new one. For one event loop."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._orders: socket.socket | None = None
        self._sending = asyncio.Lock()
        self.process: Held | None = None
        self._reaper: asyncio.Task[None] | None = None

    async def child(self, kind: OrderKind, sandbox_id: str) -> socket.socket:
        """Order a child; returns our end of its socket, non-blocking. Raises UNAVAILABLE."""
        return await self._pair(kind, sandbox_id, [], blocking=False)

    async def admit(self, sandbox_id: str, trusted: Sequence[int]) -> socket.socket:
        """An order socket for the supervisor of a sandbox; `trusted` go to its SSH children. Raises UNAVAILABLE."""
        return await self._pair(OrderKind.ADMIT, sandbox_id, trusted, blocking=True)

    async def close(self) -> None:
        """Close this order socket; the zygote ends with the last one. Waits for it where `ending` sandboxes left none."""
        async with self._sending:
            if self._orders is not None:
                self._orders.close()
                self._orders = None
        if self._reaper is not None:
            self._reaper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reaper
        if self.process is not None:
            self.process.release()
            self.process = None

    async def gone(self) -> None:
        """Close this order socket and wait until the zygote ended: only where nobody else has one."""
        if self._orders is not None:
            self._orders.close()
            self._orders = None
        if self._reaper is not None:
            await self._reaper
        await self.close()

    async def _pair(self, kind: OrderKind, sandbox_id: str, more: Sequence[int], *, blocking: bool) -> socket.socket:
        ours, its = pair()
        try:
            with its:
                await self._order(kind, sandbox_id, [its.fileno(), *more])
        except BaseException:
            ours.close()
            raise
        ours.setblocking(blocking)
        return ours

    async def _order(self, kind: OrderKind, sandbox_id: str, fds: Sequence[int]) -> None:
        async with self._sending:
            if self._orders is None:
                self._start()
            while self._orders is not None:
                try:
                    send_order(self._orders, kind, sandbox_id, fds)
                    return
                except BlockingIOError:
                    await writable(self._orders.fileno())
                except OSError as error:
                    self._orders.close()
                    self._orders = None
                    raise OpenShellError(
                        Code.UNAVAILABLE, f"the zygote is gone: {error.strerror}", hint=f"see {self._log}"
                    ) from error

    def _start(self) -> None:
        ours, its = pair()
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _LOG_MODE)
        try:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *_FLAGS, "-c", _BEGIN, _PACKAGE_AT, _MODULE, _ROOM],
                _ENVIRONMENT,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, its.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
            )
        except OSError as error:
            ours.close()
            raise OpenShellError(Code.UNAVAILABLE, f"the zygote cannot be started: {error.strerror}") from error
        finally:
            its.close()
            os.close(log)
        ours.setblocking(False)
        self._orders = ours
        pidfd = os.pidfd_open(pid)  # our child, not reaped yet: the pid is its own
        who = process.identity(pid)
        self.process = Held(pid, who.start_time if who else 0, pidfd)
        self._reaper = asyncio.create_task(self._reap(self.process, ours))

    async def _reap(self, held: Held, orders: socket.socket) -> None:
        await held.ended()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(held.pid, os.WNOHANG)  # noqa: ASYNC222 - it ended: this does not wait
        if self._orders is orders:
            orders.close()
            self._orders = None
        if self.process is held:
            held.release()
            self.process = None


async def answer(
    config: socket.socket,
    expected: str,
    *,
    timeout: float | None = ANSWER_TIMEOUT,
    last_words: Callable[[], str] = str,
) -> tuple[Message, list[int]]:
    """Wait for what a child says on its socket: a message that has `expected`, and its descriptors.

    Raises what the child raised (SetupFailed or the error with its code), UNAVAILABLE where it ended without an answer
    (`last_words` of its log then say why), DEADLINE.
    """
    try:
        async with asyncio.timeout(timeout):
            got = await wait_message(config)
    except TimeoutError as error:
        raise OpenShellError(Code.DEADLINE, f"the sandbox's process did not answer within {timeout:.0f} s") from error
    except OSError:
        got = None
    if got is None:
        why = last_words() or "it left no word in its log"
        raise OpenShellError(Code.UNAVAILABLE, f"the sandbox's process ended before it was ready: {why}")
    message, fds = got
    if expected in message:
        return message, fds
    close_all(fds)
    if "refused" in message:
        refused = message["refused"]
        raise OpenShellError(Code(refused["code"]), refused["message"], hint=refused["hint"])
    failed = message.get("failed", {"step": "start", "errno": 0, "text": "an answer not understood here", "hint": ""})
    raise SetupFailed(failed["step"], failed["errno"], failed["text"], failed["hint"])

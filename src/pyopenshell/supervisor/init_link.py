"""The asyncio end of a connection to init: requests with their answers, exits, and one way to be lost.

    ask ──> numbered request ──> init ──> answer with that number ──> the asker's future
                                    `───> exit notice ──────────────> the process's future

Once lost (init ended, another owner, a broken protocol, our own close) it stays lost: every future gets UNAVAILABLE
with the same reason. A process's future is retrieved once here, so that nobody must wait for a process who does not
want to.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pyopenshell.drivers.messages import BadMessageError, Message, close_all, receive_message, send_message
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.supervisor.init_process import DialError, Exit, Process, StartError

Answer = tuple[Message, list[int]]
Late = Callable[[Message, list[int]], None]


class Link:
    """Takes the socket over. Must be made in a running event loop."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        sock.setblocking(False)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[asyncio.Future[Answer], Late | None]] = {}
        self._unsent: deque[tuple[Message, list[int]]] = deque()
        self._processes: dict[int, Process] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._loop.add_reader(sock.fileno(), self._readable)

    async def ask(self, request: Message, fds: Sequence[int] = (), *, late: Late | None = None) -> Answer:
        """Send a request and wait for its answer. The descriptors stay the caller's, who may close them afterwards.

        `late` gets the answer where the caller was cancelled. Raises UNAVAILABLE where the link is or gets lost, and
        what the answer says: StartError, DialError, EXHAUSTED, NOT_FOUND, INTERNAL.
        """
        self._check()
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[number] = (answer, late)
        self._send({**request, "n": number}, list(fds))
        return await answer

    def process(self, pid: Any, label: str, fds: Sequence[int], *, terminal: bool) -> Process:
        """A process that was started right now, with its descriptors."""
        process = self._processes.get(pid) or self._make(pid, terminal)
        process.label = label
        if terminal:
            process.terminal = fds[0]
        else:
            process.stdin, process.stdout, process.stderr = fds
        return process

    def known(self, pid: Any, label: str, terminal: bool, ended: Message | None) -> Process:
        """A process out of the table of a hello. Raises KeyError, TypeError for a table that makes no sense."""
        process = self._make(int(pid), terminal)
        process.label = str(label)
        if ended is not None:
            process.exited.set_result(_exit(ended))
        return process

    def discard(self, pid: int) -> None:
        """End a process that nobody wants, and acknowledge its end."""

        async def end() -> None:
            await self.send_signal(pid, signal.SIGHUP, True)
            process = self._processes.get(pid) or self._make(pid, False)
            self.end_input(pid)
            with contextlib.suppress(OpenShellError):
                await process.wait()

        task = self._loop.create_task(end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def acknowledge(self, pid: int) -> None:
        """Init may forget this process."""
        if self._processes.pop(pid, None) is not None and not self.lost.done():
            self._send({"op": "ack", "pid": pid}, [])

    def end_input(self, pid: int) -> None:
        """Init holds this process's input open no longer."""
        process = self._processes.get(pid)
        if process is not None and not process.exited.done() and not self.lost.done():
            self._send({"op": "end_input", "pid": pid}, [])

    async def send_signal(self, pid: int, number: int, group: bool) -> None:
        """Signal; nothing where the sandbox is lost, because then its processes are too or soon another owner's."""
        if not self.lost.done():
            with contextlib.suppress(OpenShellError):
                await self.ask({"op": "signal", "pid": pid, "signal": int(number), "group": group})

    def close(self, reason: str) -> None:
        """Lose the link for `reason`. Idempotent."""
        if self.lost.done():
            return
        self.lost.set_result(reason)
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        for _message, fds in self._unsent:
            close_all(fds)
        self._unsent.clear()
        futures: list[asyncio.Future[Any]] = [answer for answer, _late in self._waiting.values()]
        futures += [process.exited for process in self._processes.values()]
        self._waiting.clear()
        self._processes.clear()
        for future in futures:
            if not future.done():
                future.set_exception(self._error())
                future.exception()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _error(self) -> OpenShellError:
        return OpenShellError(Code.UNAVAILABLE, f"the sandbox is lost: {self.lost.result()}")

    def _check(self) -> None:
        if self.lost.done():
            raise self._error()

    def _make(self, pid: int, terminal: bool) -> Process:
        process = Process(pid, "", terminal, self, self._loop.create_future())
        if self.lost.done():  # between its answer and its asker's turn
            process.exited.set_exception(self._error())
            process.exited.exception()
        else:
            self._processes[pid] = process
        return process

    def _send(self, message: Message, fds: list[int]) -> None:
        if not self._unsent:
            try:
                send_message(self._sock, message, fds)
                return
            except BlockingIOError:
                self._loop.add_writer(self._sock.fileno(), self._writable)
            except OSError as error:
                self.close(f"init is gone ({error.strerror})")
                return
        self._unsent.append((message, [os.dup(fd) for fd in fds]))

    def _writable(self) -> None:
        while self._unsent:
            message, fds = self._unsent[0]
            try:
                send_message(self._sock, message, fds)
            except BlockingIOError:
                return
            except OSError as error:
                self.close(f"init is gone ({error.strerror})")
                return
            self._unsent.popleft()
            close_all(fds)
        self._loop.remove_writer(self._sock.fileno())

    def _readable(self) -> None:
        while not self.lost.done():
            try:
                got = receive_message(self._sock)
            except BlockingIOError:
                return
            except (BadMessageError, OSError) as error:
                self.close(f"init said what is not understood here ({error})")
                return
            if got is None:
                self.close("init ended, or another supervisor took over")
                return
            self._received(*got)

    def _received(self, message: Message, fds: list[int]) -> None:
        try:
            if "exit" in message:
                self._exited(message)
                close_all(fds)
                return
            waiting = self._waiting.pop(message["n"], None)
            if waiting is None:
                raise ValueError("an answer that nobody asked for")
            ok = message.get("ok")
            if isinstance(ok, dict) and isinstance(ok.get("pid"), int):
                self._make(ok["pid"], bool(ok.get("terminal")))
        except (KeyError, TypeError, ValueError) as error:
            close_all(fds)
            self.close(f"init said what is not understood here ({error})")
            return
        answer, late = waiting
        if isinstance(ok, dict) and not answer.done():
            answer.set_result((ok, fds))
        elif isinstance(ok, dict) and late is not None:
            late(ok, fds)
        else:
            close_all(fds)
            if not answer.done():
                answer.set_exception(_failure(message))

    def _exited(self, message: Message) -> None:
        process = self._processes.get(message["exit"])
        if process is not None and not process.exited.done():
            process.exited.set_result(_exit(message))


def _exit(raw: Message) -> Exit:
    return Exit(int(raw["code"]), int(raw["signal"]), bool(raw["core"]))


def _failure(message: Message) -> OpenShellError:
    """What an error answer means to the asker; its text is init's own, cut and without control characters."""
    text = "".join(char if char.isprintable() else "?" for char in str(message.get("error", ""))[:500])
    number = message.get("errno")
    number = number if isinstance(number, int) else 0
    match message.get("kind"):
        case "start":
            return StartError(text, number)
        case "dial":
            return DialError(text, number)
        case "room":
            return OpenShellError(Code.EXHAUSTED, text)
        case "unknown":
            return OpenShellError(Code.NOT_FOUND, text)
        case _:
            return OpenShellError(Code.INTERNAL, f"init refused a request: {text}")

"""The server that PID 1 of a sandbox is: spawns, signals, dials and hands descriptors out, for whoever owns the sandbox.

Requests are `{"n": number, "op": name, ...}`, answers repeat `n` with `ok` or with `error`, `errno` and `kind`; an exit is
`{"exit": pid, "code": .., "signal": .., "core": ..}`, repeated in the table of the next `hello` until `ack`. The operations
are the `_op_*` methods. Only a peer from outside the sandbox is served: SO_PEERCRED (unix(7)) shows pid 0 for a process
that does not exist in this pid namespace. The last connection to say `hello` owns the sandbox; the one before it reads
end of file.

Nothing that the sandbox does may end or block this process: no blocking call, a reserve descriptor for EMFILE, and
every failure is an answer.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Mapping

from pyopenshell.drivers.messages import Message, close_all, pair
from pyopenshell.linux import process
from pyopenshell.linux.descriptors import read_sealed
from pyopenshell.model import ARGV_ENV_MAX
from pyopenshell.supervisor import init_dial, init_ports
from pyopenshell.supervisor.init_connection import Connection
from pyopenshell.supervisor.init_ends import Ends
from pyopenshell.supervisor.init_loop import READ, Loop
from pyopenshell.supervisor.init_spawn import Command, NotStarted, Spawner
from pyopenshell.supervisor.init_table import Row, Table
from pyopenshell.supervisor.rest import Rest

#: JSON writes a control character of argv in six bytes (\\u0001), so the text may be this much longer than its meaning.
COMMAND_MAX = 6 * ARGV_ENV_MAX + 64 * 1024
BACKLOG = 16  # connections that wait while init forks: supervisor, driver and a newer supervisor are three
_UCRED = struct.Struct("iII")


class Refused(Exception):
    """A request that is answered with an error of this kind."""

    def __init__(self, message: str, number: int = 0, kind: str = "bad") -> None:
        super().__init__(message)
        self.number = number
        self.kind = kind


class Server:
    """Serves `listener` until the lifetime's end; `namespaces` by name are what `hello` hands out."""

    def __init__(
        self,
        loop: Loop,
        listener: socket.socket,
        spawner: Spawner,
        namespaces: Mapping[str, int],
        facts: Mapping[str, str],
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._spawner = spawner
        self._namespaces = namespaces
        self._facts = facts
        self._table = Table()
        self._ends = Ends(loop, self._table, spawner.ids)
        self._rest = Rest(loop.later, lambda: any(not row.ended for row in self._table))
        self._owner: Connection | None = None
        self._reserve = os.open("/", os.O_PATH | os.O_CLOEXEC)
        self._ops: dict[str, Callable[[Connection, Message, list[int]], None]] = {
            "hello": self._op_hello,
            "spawn": self._op_spawn,
            "signal": self._op_signal,
            "dial": self._op_dial,
            "attach": self._op_attach,
            "ack": self._op_ack,
            "end_input": self._op_end_input,
            "spawn_socket": self._op_spawn_socket,
            "usage": self._op_usage,
            "ports": lambda asker, message, _: asker.send({"n": message["n"], "ok": init_ports.seen_by(spawner.ids)}),
        }
        listener.setblocking(False)
        loop.watch(listener.fileno(), READ, self._accept)
        loop.on_child(self._reap)
        self._rest.ended()  # what the birth took

    # --- connections ----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            self._refuse_one()
            return
        if _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))[0] != 0:
            sock.close()
            return
        Connection(self._loop, sock, self._dispatch, self._lost, may_own=True)

    def _refuse_one(self) -> None:
        """Without a descriptor left, spend the reserve on closing the connection: else it would be ready for ever."""
        os.close(self._reserve)
        with contextlib.suppress(OSError):
            self._listener.accept()[0].close()
        self._reserve = os.open("/", os.O_PATH | os.O_CLOEXEC)

    def _lost(self, connection: Connection) -> None:
        if connection is self._owner:
            self._owner = None
            self._ends.abandon()
        if connection.may_own:
            return
        for row in self._table:
            if row.client is connection:
                if row.ended:
                    self._table.forget(row)
                else:
                    self._ends.hang_up(row)

    def _dispatch(self, connection: Connection, message: Message, fds: list[int]) -> None:
        number = message.get("n")
        try:
            operation = self._ops.get(str(message.get("op")))
            if operation is None:
                raise Refused(f"no operation {message.get('op')!r:.40}")
            operation(connection, message, fds)
        except Refused as refused:
            answer = {"error": str(refused), "errno": refused.number, "kind": refused.kind}
            connection.send({"n": number, **answer})
        except (OSError, MemoryError) as error:
            failed = getattr(error, "errno", None) or errno.ENOMEM
            text = f"the sandbox has no room: {os.strerror(failed).lower()}"
            connection.send({"n": number, "error": text, "errno": failed, "kind": "room"})
        except Exception as error:  # whatever a request can do wrong, process 1 must outlive it
            connection.send({"n": number, "error": f"bad request: {error!r:.80}", "errno": 0, "kind": "bad"})
        finally:
            close_all(fds)

    # --- operations -----------------------------------------------------------------------------------------------

    def _op_hello(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        if not connection.may_own:
            raise Refused("this connection cannot own the sandbox")
        before, self._owner = self._owner, connection
        if before is not None and before is not connection:
            before.drop()
            self._ends.abandon()
        run = [
            {"pid": row.pid, "label": row.label, "keep": bool(row.kept), "terminal": row.terminal, "exit": row.exit()}
            for row in self._table
            if row.client is None and not row.abandoned
        ]
        ok = {"namespaces": [*self._namespaces], "processes": run, "ran": sorted(self._table.ran), "facts": self._facts}
        connection.send({"n": message["n"], "ok": ok}, list(self._namespaces.values()), close=False)

    def _op_spawn(self, connection: Connection, message: Message, fds: list[int]) -> None:
        if len(fds) != 1:
            raise Refused("a spawn carries one descriptor")
        label = str(message.get("label", ""))
        command = Command.parse(read_sealed(fds[0], COMMAND_MAX))
        try:
            started = self._spawner.start(command)
        except NotStarted as failure:
            raise Refused(str(failure), failure.number, "start") from None
        terminal = started.terminal >= 0
        self._table.add(row := Row(started.pid, label, None if connection.may_own else connection, terminal))
        if not connection.may_own:
            connection.started.add(started.pid)
        if message.get("keep"):
            row.kept = [os.dup(fd) for fd in (started.terminal, started.stdout, started.stderr) if fd >= 0]
        elif not terminal:
            row.stdin = os.dup(started.stdin)
        connection.send({"n": message["n"], "ok": {"pid": row.pid, "terminal": terminal}}, started.descriptors)

    def _op_signal(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        pid = int(message["pid"])
        if pid <= 1 or not (connection is self._owner or pid in connection.started):
            raise Refused(f"process {pid} is not yours", errno.EPERM)
        self._ends.kill(pid, int(message["signal"]), group=bool(message["group"]))
        connection.send({"n": message["n"], "ok": {}})

    def _op_dial(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        host, port, number = str(message["host"]), int(message["port"]), message["n"]

        def answer(sock: socket.socket | None, error: int) -> None:
            if sock is None:
                text = init_dial.explain(host, port, error)
                connection.send({"n": number, "error": text, "errno": error, "kind": "dial"})
            else:
                connection.send({"n": number, "ok": {}}, [sock.detach()])

        init_dial.dial(self._loop, host, port, answer)

    def _op_attach(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        row = self._table.get(message["pid"])
        if connection is not self._owner or row is None or not row.kept:
            raise Refused("no such process is kept", errno.ESRCH, "unknown")
        connection.send({"n": message["n"], "ok": {}}, row.kept, close=False)

    def _op_ack(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        row = self._table.get(message["pid"])
        mine = row is not None and (row.client is connection or (row.client is None and connection is self._owner))
        if row is not None and mine and row.ended:
            self._table.forget(row)

    def _op_end_input(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        row = self._table.get(message["pid"])
        if row is not None and (connection is self._owner or row.client is connection):
            row.end_input()

    def _op_spawn_socket(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        if connection is not self._owner:
            raise Refused("only the owner hands connections out", errno.EPERM)
        mine, theirs = pair()
        Connection(self._loop, mine, self._dispatch, self._lost, may_own=False)
        connection.send({"n": message["n"], "ok": {}}, [theirs.detach()])

    def _op_usage(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        used = process.memory(os.getpid())
        connection.send({"n": message["n"], "ok": {"pss": used.pss, "rss": used.rss}})

    # --- processes ------------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        """Collect every ended child: those that were started here, and orphans that the kernel gave to PID 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            row = self._table.get(pid)
            if row is not None and not row.ended:  # an ended row may meet its pid again, as that of an orphan
                row.status = status
                row.end_input()
                self._tell_exit(row)
                self._rest.ended()

    def _tell_exit(self, row: Row) -> None:
        if row.abandoned:
            self._table.forget(row)
            return
        asker = row.client or self._owner
        if asker is not None and asker.open:
            asker.send({"exit": row.pid, **(row.exit() or {})})
        if row.client is not None and not row.client.open:
            self._table.forget(row)

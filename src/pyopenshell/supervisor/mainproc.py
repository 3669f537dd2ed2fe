"""The sandbox's main process: started once through init, watched, its output kept as log lines, its end reported.

    UNSPECIFIED   no command was asked for
    FAILED        it could not be started
    RUNNING ─── EXITED ── ReportMainProcessExit ── its log lines pushed ── FinalizeMainProcessExit

The label under which init knows it holds its instance id, so a supervisor that adopts the sandbox finds it again and
speaks of the same instance. The end of a supervisor is not the end of the main process: only `end` signals it.

Its output shares this process with every relay, so what it may print in a second is bounded, and so is what a gateway that
takes lines has still to take (`LogRing.room`): nothing of a burst is dropped. While it runs it waits at its
pipe, and after its end what is left in the pipe is taken at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import uuid
from collections.abc import Mapping, Sequence
from typing import Protocol

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.supervisor.command import LINGER_MAX, LINGER_QUIET
from pyopenshell.supervisor.init_client import Process, StartError
from pyopenshell.supervisor.logs import LineSplitter, LogRing
from pyopenshell.supervisor.pipes import PipeReader, widen
from pyopenshell.wire.metadata import MetadataItems
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

REPORT_EXIT = "/openshell.v1.OpenShell/ReportMainProcessExit"
FINALIZE_EXIT = "/openshell.v1.OpenShell/FinalizeMainProcessExit"
REPORT_TIMEOUT = 30.0  # seconds for the gateway to take one report
DRAIN_TIMEOUT = 5.0  # seconds for the last log lines to arrive before the end is final
LABEL = "main"
LOG_CHUNK = 8 * 1024  # bytes taken at once: 4,096 empty lines of it hold the relays up for some ten milliseconds
BYTES_PER_SECOND = 4 * 1024 * 1024  # of each stream; a process that prints more waits at its pipe, and nobody else does
LINES_PER_SECOND = 20_000  # likewise; a line costs some ten microseconds on its way to the gateway
STATUS_LOST = 255  # known to nobody: it was acknowledged to a supervisor that died before it could tell

log = logging.getLogger(__name__)


class Init(Protocol):
    """What is needed of InitClient."""

    @property
    def processes(self) -> Mapping[int, Process]: ...
    @property
    def ran(self) -> frozenset[str]: ...
    async def spawn(self, spec: ExecSpec, *, label: str = "", keep: bool = False) -> Process: ...
    async def attach(self, pid: int) -> Process: ...


class MainProcess:
    """The one main process of a sandbox, in whatever state it is."""

    def __init__(
        self, init: Init, argv: Sequence[str], ring: LogRing, sandbox_id: str, metadata: MetadataItems
    ) -> None:
        self._init = init
        self._argv = tuple(argv)
        self._ring = ring
        self._sandbox_id = sandbox_id
        self._metadata = metadata
        self._process: Process | None = None
        self._state = pb.MainProcessState(instance_id=str(uuid.uuid4()))
        self._exited = asyncio.Event()
        self._told = False
        self._over = False

    @property
    def instance_id(self) -> str:
        """Names this run of the main process."""
        return self._state.instance_id

    def state(self) -> pb.MainProcessState:
        """What hello says of it."""
        return self._state

    async def start(self) -> None:
        """Start it where none has run, else find it again. A command that cannot start is a state, not an error.

        Raises OpenShellError where init is lost.
        """
        if not self._argv:
            return
        label = next((name for name in self._init.ran if name.partition(":")[0] == LABEL), None)
        try:
            if label is None:
                spec = ExecSpec(argv=self._argv)
                self._process = await self._init.spawn(spec, label=f"{LABEL}:{self.instance_id}", keep=True)
            else:
                self._state.instance_id = label.partition(":")[2] or self.instance_id
                self._process = await self._found(label)
        except StartError as error:
            self._state.state, self._state.error = pb.MainProcessState.STATE_FAILED, error.message
            return
        if self._process is None:
            self._end(STATUS_LOST)
        else:
            self._state.state = pb.MainProcessState.STATE_RUNNING

    async def _found(self, label: str) -> Process | None:
        pid = next((pid for pid, process in self._init.processes.items() if process.label == label), None)
        if pid is None:
            return None
        try:
            return await self._init.attach(pid)
        except OpenShellError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise

    async def run(self) -> None:
        """Keep its output until it has ended; returns then. Raises OpenShellError where init is lost first."""
        if self._process is None:
            return
        readers = {
            "stdout": PipeReader(self._process.stdout, LOG_CHUNK),
            "stderr": PipeReader(self._process.stderr, LOG_CHUNK),
        }
        widen(self._process.stdout)
        widen(self._process.stderr)
        if self._process.stdin >= 0:  # nobody types: a main process that reads gets the end of file
            os.close(self._process.stdin)
        pumps = [asyncio.create_task(self._pump(name, reader)) for name, reader in readers.items()]
        try:
            how = await self._process.wait()
            self._over = True
            for reader in readers.values():
                reader.linger(LINGER_QUIET, LINGER_MAX)
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for reader in readers.values():
                reader.close()
        self._end(how.status)

    async def end(self) -> None:
        """Ask it to end (SIGTERM to its process group) and wait until `run` has its end and its output; of none: nothing.

        How long it is waited for is the caller's to say.
        """
        if self._process is None or self._exited.is_set():
            return
        await self._process.signal(signal.SIGTERM)
        await self._exited.wait()

    async def _pump(self, stream: str, reader: PipeReader) -> None:
        lines = LineSplitter()
        while data := await reader.read():
            number = 0
            for line in lines.feed(data):
                self._ring.append(stream, line)
                number += 1
            await self._ring.room()
            await asyncio.sleep(0 if self._over else max(len(data) / BYTES_PER_SECOND, number / LINES_PER_SECOND))
        for line in lines.finish():
            self._ring.append(stream, line)

    def _end(self, code: int) -> None:
        self._state.state, self._state.exit_code = pb.MainProcessState.STATE_EXITED, code
        log.info("the main process ended with status %d", code)
        self._exited.set()

    async def __call__(self, channel: Channel) -> None:
        """Tell the gateway of the end once it came, over this connection; once and no more. Raises OpenShellError."""
        await self._exited.wait()
        if self._told:
            return
        report = pb.ReportMainProcessExitRequest(
            sandbox_id=self._sandbox_id, instance_id=self.instance_id, exit_code=self._state.exit_code
        )
        await self._unary(channel, REPORT_EXIT, report, pb.ReportMainProcessExitResponse)
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT):
                await self._ring.drained()
        except TimeoutError:
            log.warning("the last lines of the main process did not reach the gateway in %.0f s", DRAIN_TIMEOUT)
        final = pb.FinalizeMainProcessExitRequest(sandbox_id=self._sandbox_id, instance_id=self.instance_id)
        await self._unary(channel, FINALIZE_EXIT, final, pb.FinalizeMainProcessExitResponse)
        self._told = True

    async def _unary(
        self,
        channel: Channel,
        path: str,
        request: pb.ReportMainProcessExitRequest | pb.FinalizeMainProcessExitRequest,
        response: type[pb.ReportMainProcessExitResponse] | type[pb.FinalizeMainProcessExitResponse],
    ) -> None:
        await channel.unary(path, request, response, metadata=self._metadata, timeout=REPORT_TIMEOUT)

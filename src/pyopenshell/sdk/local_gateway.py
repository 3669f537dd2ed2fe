"""A gateway on this machine, in the background: started, found again, stopped.

The gateway is a process of its own in a session of its own; it outlives whoever started it. It says on a pipe that it serves
(one JSON line: endpoint, pid, port), and only then is it registered, with copies of the certificates it made for its user.
Afterwards it is known by (pid, start time), written beside its state, so a number that the system gave to another process is
never taken for it. The port stays the same over restarts: other programs have written it down.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import locked, private_directory, read_small, write_private
from pyopenshell.model import check_port
from pyopenshell.sdk.gateways import AUTH_MTLS, Endpoint, Gateway, Registry
from pyopenshell.sdk.paths import Paths
from pyopenshell.sdk.port_holder import check_port_free
from pyopenshell.sdk.processes import ProcessName, end

DEFAULT_NAME = "local"
LOOPBACK = "127.0.0.1"
PROGRAM = (sys.executable, "-P", "-m", "pyopenshell.gateway.main")
START_TIMEOUT = 30.0  # seconds: a first start makes keys and probes the machine, about one second on a slow one
STOP_TIMEOUT = 20.0  # seconds for open streams to drain before SIGKILL
READY_LINE_MAX = 64 * 1024
_LOG_TAIL = 4096  # bytes of the log that are looked through for the reason of a failed start
_PKI_FILES = {"ca.crt": "ca.crt", "tls.crt": "client.crt", "tls.key": "client.key"}
_NOT_INHERITED = ("OPENSHELL_TOKEN",)  # a caller's secret is none of the gateway's business


@dataclass(frozen=True, slots=True)
class Started:
    """What `start` did: `fresh` is false where the gateway already ran."""

    gateway: Gateway
    process: ProcessName
    fresh: bool


class LocalGateway:
    """One local gateway by name; whether it runs is asked of the system each time."""

    def __init__(self, paths: Paths, name: str = DEFAULT_NAME, program: Sequence[str] = PROGRAM) -> None:
        self._program = program
        self._registry = Registry(paths)
        self._registry.directory(name)  # checks the name
        self.name = name
        self.state = paths.gateway_state(name)
        self.log = self.state / "gateway.log"

    @property
    def process(self) -> ProcessName | None:
        """The running gateway, or None."""
        try:
            found = json.loads(read_small(self.state / "process.json") or b"{}")
            process = ProcessName(int(found["pid"]), int(found["start_time"]))
        except (ValueError, KeyError, TypeError):
            return None
        return process if process.alive else None

    def start(
        self,
        environ: Mapping[str, str],
        *,
        port: int | None = None,
        config: Path | None = None,
        lifetime: int | None = None,
    ) -> Started:
        """Start the gateway and wait until it serves; where it runs already, say so and change nothing.

        `port` None means the one it had before, or any. `lifetime` is the read end of a pipe: when its last writer is gone,
        the gateway ends and its sandboxes with it. Raises CONFLICT (a port that is taken, a running gateway on another
        port, a name that is registered for a remote gateway), and PRECONDITION with the gateway's own reason.
        """
        known = self._registry.load(self.name) if self.name in self._registry.names() else None
        if known is not None and known.is_remote:
            raise OpenShellError(
                Code.CONFLICT, f"gateway {self.name!r} is a remote one, at {known.endpoint}", hint="choose another name"
            )
        private_directory(self.state)
        with locked(self.state / ".start.lock"):
            running = self.process
            if running is not None and known is not None:
                if port and port != known.endpoint.port:
                    raise OpenShellError(
                        Code.CONFLICT,
                        f"gateway {self.name!r} already runs on port {known.endpoint.port}, process {running.pid}",
                        hint=f"'openshell gateway stop {self.name}' first",
                    )
                return Started(known, running, fresh=False)
            if port is None:
                port = known.endpoint.port if known is not None else 0
            if port:
                check_port_free(LOOPBACK, check_port(port))
            return self._start(environ, port, config, lifetime)

    def _start(self, environ: Mapping[str, str], port: int, config: Path | None, lifetime: int | None) -> Started:
        command = [*self._program, "--name", self.name, "--state", str(self.state), "--port", str(port)]
        if config is not None:
            command += ["--config", str(config)]
        if lifetime is not None:
            command += ["--lifetime-fd", str(lifetime)]
        ready, ready_far = os.pipe()
        try:
            with open(self.log, "ab", opener=_private_opener) as log:
                log_start = log.tell()
                child = subprocess.Popen(
                    [*command, "--ready-fd", str(ready_far)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env={key: value for key, value in environ.items() if key not in _NOT_INHERITED},
                    pass_fds=(ready_far,) if lifetime is None else (ready_far, lifetime),
                    start_new_session=True,
                )
            os.close(ready_far)
            ready_far = -1
            try:
                fields = _read_ready(ready, START_TIMEOUT)
                if fields is None:
                    raise self._failed_start(log_start)
                started = self._register(fields)
            except BaseException:
                child.terminate()
                try:
                    child.wait(STOP_TIMEOUT)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
                raise
            child.returncode = 0  # it lives on by design: Popen must neither wait for it nor warn
            return started
        finally:
            os.close(ready)
            if ready_far >= 0:
                os.close(ready_far)

    def _register(self, fields: Mapping[str, Any]) -> Started:
        process = ProcessName.of(int(fields["pid"]))
        if process is None:
            raise OpenShellError(
                Code.PRECONDITION, f"gateway {self.name!r} ended right after its start", hint=self._see()
            )
        credentials = {ours: read_small(self.state / "pki" / its) for ours, its in _PKI_FILES.items()}
        gateway = self._registry.save(
            self.name,
            Endpoint("https", LOOPBACK, int(fields["port"])),
            is_remote=False,
            auth_mode=AUTH_MTLS,
            credentials={name: content for name, content in credentials.items() if content is not None},
        )
        record = {"pid": process.pid, "start_time": process.start_time}
        write_private(self.state / "process.json", json.dumps(record).encode())
        return Started(gateway, process, fresh=True)

    def stop(self, timeout: float = STOP_TIMEOUT) -> ProcessName | None:
        """End the gateway: SIGTERM, then SIGKILL after `timeout` seconds. Returns what was ended, None where none ran.

        Sandboxes go on running; the next start takes them over again.
        """
        process = self.process
        if process is not None:
            end(process, timeout)
        (self.state / "process.json").unlink(missing_ok=True)
        return process

    def _failed_start(self, log_start: int) -> OpenShellError:
        """The gateway's own last line, without the word `error:` in front, is the best reason there is."""
        try:
            with self.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(log_start, size - _LOG_TAIL))
                lines = [line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        except OSError:
            lines = []
        reason = lines[-1].removeprefix("error: ") if lines else "it ended without a word"
        return OpenShellError(Code.PRECONDITION, f"gateway {self.name!r} did not start: {reason}", hint=self._see())

    def _see(self) -> str:
        return f"its log: {self.log}"


def _read_ready(descriptor: int, timeout: float) -> dict[str, Any] | None:
    """The ready line as an object, or None where the gateway ended first. Raises DEADLINE."""
    deadline = time.monotonic() + timeout
    line = b""
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            raise OpenShellError(Code.DEADLINE, f"the gateway was not ready within {timeout:.0f} s")
        chunk = os.read(descriptor, READY_LINE_MAX)
        line += chunk
        if not chunk or len(line) > READY_LINE_MAX:
            break
    try:
        fields = json.loads(line)
        return {"pid": int(fields["pid"]), "port": int(fields["port"]), "endpoint": str(fields["endpoint"])}
    except (ValueError, KeyError, TypeError):
        return None


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

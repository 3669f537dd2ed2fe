"""A gateway on this machine, in the background: started, found again, stopped.

The gateway is a process of its own in a session of its own; it outlives whoever started it. It says on a pipe that it serves
(one JSON line: endpoint, pid, port), and only then is it registered, with copies of the certificates it made for its user.
Afterwards it is known by (pid, start time), written beside its state (`running.py`), so a number that the system gave to
another process is never taken for it. The port stays the same over restarts: other programs have written it down. One that
drains is waited for, and then started anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import locked, private_directory, read_small
from pyopenshell.model import check_port
from pyopenshell.sdk.gateways import AUTH_MTLS, Endpoint, Gateway, Registry
from pyopenshell.sdk.opening import LOOPBACK, Opening
from pyopenshell.sdk.paths import Paths
from pyopenshell.sdk.port_holder import check_port_free
from pyopenshell.sdk.processes import ProcessName, end, wait
from pyopenshell.sdk.renewal import fields_of
from pyopenshell.sdk.running import (
    Record,
    Started,
    drains,
    forget,
    gateway_table,
    last_words,
    mark,
    read_ready,
    say_draining,
)

DEFAULT_NAME = "local"
PORT_VARIABLE = "OPENSHELL_GATEWAY_PORT"
_ANYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - how clients of this machine reach one that listens there
PROGRAM = (sys.executable, "-P", "-m", "pyopenshell.gateway.main")
START_TIMEOUT = 30.0  # seconds: a first start makes keys and probes the machine, about one second on a slow one
STOP_TIMEOUT = 20.0  # seconds for open streams to drain before SIGKILL
_PKI_FILES = {"ca.crt": "ca.crt", "tls.crt": "client.crt", "tls.key": "client.key"}
_NOT_INHERITED = ("OPENSHELL_TOKEN",)  # a caller's secret is none of the gateway's business


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
        found = Record.load(self.state)
        return found.process if found is not None and found.process.alive else None

    def start(
        self,
        environ: Mapping[str, str],
        *,
        port: int | None = None,
        config: Path | None = None,
        default_config: Path | None = None,
        lifetime: int | None = None,
        opening: Opening | None = None,
    ) -> Started:
        """Start the gateway and wait until it serves; where it runs already, say so and change nothing.

        `port` None means the one that the configuration names, else the one it had before, or any. `config` is what the
        gateway must run with, `default_config` what a fresh one takes where nothing is asked for. `lifetime` is the read
        end of a pipe: when its last writer is gone, the gateway ends and its sandboxes with it. `opening` is where it must
        listen and under which names; what it does not say stays as it was at the start before.
        Raises CONFLICT (a port that is taken, a running gateway on another port or with another configuration, a name that
        is registered for a remote gateway), DEADLINE (one that drains and does not end), and PRECONDITION with the
        gateway's own reason.
        """
        known = self._registry.load(self.name) if self.name in self._registry.names() else None
        if known is not None and known.is_remote:
            raise OpenShellError(
                Code.CONFLICT, f"gateway {self.name!r} is a remote one, at {known.endpoint}", hint="choose another name"
            )
        kept = Opening.kept(known.extra) if known is not None else Opening()
        asked = opening or Opening()
        port = asked.port if port is None else port
        private_directory(self.state)
        with locked(self.state / ".start.lock"):
            record = self._still_running()
            if record is not None:
                return self._as_it_runs(record, known, port, config, default_config, asked.differs(kept))
            config = config or default_config
            table = gateway_table(config)
            where = asked.over(kept)
            if port is None and (where.host or ("port" not in table and not environ.get(PORT_VARIABLE))):
                port = known.endpoint.port if known is not None else 0
            if port:
                check_port_free(where.host or LOOPBACK, check_port(port))
            return self._start(environ, replace(where, port=port), config, mark(table), lifetime)

    def _still_running(self) -> Record | None:
        """The gateway that runs, after the end of one that drains."""
        record = Record.load(self.state)
        if record is None or not record.process.alive:
            return None
        if not drains(self.state, record.process):
            return record
        if not wait(record.process, STOP_TIMEOUT):
            raise OpenShellError(
                Code.DEADLINE,
                f"gateway {self.name!r} was told to stop, and process {record.pid} has not ended",
                hint=f"'openshell gateway stop {self.name}' ends it",
            )
        forget(self.state, record.process)
        return None

    def _as_it_runs(
        self,
        record: Record,
        known: Gateway | None,
        port: int | None,
        config: Path | None,
        default: Path | None,
        other: str,
    ) -> Started:
        """The running gateway, where it is what was asked for. Raises CONFLICT where it is not."""
        where = known.endpoint if known is not None else Endpoint.parse(record.endpoint)
        if port and port != where.port:
            other = f"on port {where.port}"
        elif config is not None and record.config != str(config):
            other = f"with the configuration {record.config}" if record.config else "without a configuration file"
        elif config is not None and record.settings != mark(gateway_table(config)):
            other = f"with {config} as it was before it was changed"
        if other:
            raise OpenShellError(
                Code.CONFLICT,
                f"gateway {self.name!r} already runs {other}, process {record.pid}",
                hint=f"'openshell gateway stop {self.name}' first",
            )
        if known is None:
            known = self._save(where, Opening())
        seen = config or (Path(record.config) if record.config else default)
        stale = record.settings != mark(gateway_table(seen))
        return Started(known, record.process, False, record.config, stale, record.listens)

    def _start(
        self, environ: Mapping[str, str], opening: Opening, config: Path | None, settings: str, lifetime: int | None
    ) -> Started:
        command = [*self._program, "--name", self.name, "--state", str(self.state), *opening.flags]
        if opening.port is not None:
            command += ["--port", str(opening.port)]
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
                fields = read_ready(ready, START_TIMEOUT)
                if fields is None:
                    raise self._failed_start(log_start)
                started = self._register(fields, str(config or ""), settings, opening)
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

    def _register(self, fields: Mapping[str, Any], config: str, settings: str, opening: Opening) -> Started:
        process = ProcessName.of(int(fields["pid"]))
        if process is None:
            raise OpenShellError(
                Code.PRECONDITION, f"gateway {self.name!r} ended right after its start", hint=self._see()
            )
        told = Endpoint.parse(fields["endpoint"])
        where = Endpoint(told.scheme, _ANYWHERE.get(told.host, told.host), told.port)
        gateway = self._save(where, opening)
        listens = fields["listens"] or told.host
        Record(process.pid, process.start_time, str(where), config, settings, listens).save(self.state)
        return Started(gateway, process, fresh=True, config=config, listens=listens)

    def _save(self, where: Endpoint, opening: Opening) -> Gateway:
        credentials = {ours: read_small(self.state / "pki" / its) for ours, its in _PKI_FILES.items()}
        return self._registry.save(
            self.name,
            where,
            is_remote=False,
            auth_mode=AUTH_MTLS,
            credentials={name: content for name, content in credentials.items() if content is not None},
            extra=opening.fields | fields_of(credentials["tls.crt"]),
        )

    def stop(self, timeout: float = STOP_TIMEOUT) -> ProcessName | None:
        """End the gateway: SIGTERM, then SIGKILL after `timeout` seconds. Returns what was ended, None where none ran.

        Sandboxes go on running; the next start takes them over again.
        """
        process = self.process
        if process is not None:
            say_draining(self.state, process)
            end(process, timeout)
            with locked(self.state / ".start.lock"):
                forget(self.state, process)
        return process

    def _failed_start(self, log_start: int) -> OpenShellError:
        """The gateway's own last line is the best reason there is."""
        reason = last_words(self.log, log_start)
        return OpenShellError(Code.PRECONDITION, f"gateway {self.name!r} did not start: {reason}", hint=self._see())

    def _see(self) -> str:
        return f"its log: {self.log}"


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

"""What is known of a local gateway: its ready line, `process.json` beside its state, and whether it drains.

The record names the process by (pid, start time) and says with which configuration it was started, so that a later start can
tell whether it would do the same. A gateway that was told to end is named by `draining` until it has ended: by whoever tells
it, before SIGTERM is sent, and by the gateway itself where somebody else sent it.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import time
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import read_small, write_private
from pyopenshell.sdk.gateways import Gateway
from pyopenshell.sdk.opening import LOOPBACK, is_open
from pyopenshell.sdk.processes import ProcessName

RECORD = "process.json"
READY_LINE_MAX = 64 * 1024
_LOG_TAIL = 4096  # bytes of a log that are looked through
DRAINING = "draining"  # holds the pid in decimal; also written by gateway/app.py


@dataclass(frozen=True, slots=True)
class Record:
    """One start of a gateway. `config` is the path of its configuration or empty, `settings` a mark of its content.

    `listens` is the address that it listens on, where `endpoint` is how this machine's clients reach it.
    """

    pid: int
    start_time: int
    endpoint: str = ""
    config: str = ""
    settings: str = ""
    listens: str = ""

    @property
    def process(self) -> ProcessName:
        """Who it was, or is."""
        return ProcessName(self.pid, self.start_time)

    @classmethod
    def load(cls, state: Path) -> Record | None:
        """What was written for this state directory; None where nothing can be read."""
        try:
            found = json.loads(read_small(state / RECORD) or b"")
            texts = {name: str(found.get(name, "")) for name in ("endpoint", "config", "settings", "listens")}
            return cls(int(found["pid"]), int(found["start_time"]), **texts)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, state: Path) -> None:
        """Write it. Raises PRECONDITION, EXHAUSTED."""
        write_private(state / RECORD, json.dumps(asdict(self)).encode())


@dataclass(frozen=True, slots=True)
class Started:
    """What `start` did: `fresh` is false where the gateway already ran, `stale` where its configuration changed since.

    `listens` is the address that it listens on.
    """

    gateway: Gateway
    process: ProcessName
    fresh: bool
    config: str = ""
    stale: bool = False
    listens: str = ""

    @property
    def warning(self) -> str:
        """What its owner must know where other machines reach it; empty where none does."""
        if not is_open(self.listens or LOOPBACK):
            return ""
        return (
            f"gateway {self.gateway.name} is open to other machines at {self.listens} port {self.gateway.endpoint.port}; "
            f"'openshell gateway stop {self.gateway.name}' and 'start --bind {LOOPBACK}' close it"
        )


def say_draining(state: Path, process: ProcessName) -> None:
    """Note that this process is told to end. On a full disk nothing is noted: a start then says that it still runs."""
    try:
        write_private(state / DRAINING, b"%d\n" % process.pid)
    except OpenShellError:
        return


def drains(state: Path, process: ProcessName) -> bool:
    """Whether this process was told to end."""
    return (read_small(state / DRAINING) or b"").strip() == b"%d" % process.pid


def forget(state: Path, process: ProcessName) -> None:
    """Remove what is written of a process that has ended, but nothing of one that was started since."""
    found = Record.load(state)
    if found is not None and found.process == process:
        (state / RECORD).unlink(missing_ok=True)
    if drains(state, process):
        (state / DRAINING).unlink(missing_ok=True)


def gateway_table(config: Path | None) -> dict[str, Any]:
    """The table `[gateway]` of a configuration; empty where there is none that can be read: the gateway will say why."""
    try:
        found = tomllib.loads((read_small(config) or b"").decode()) if config is not None else {}
        table = found.get("gateway", {})
    except (OpenShellError, ValueError, RecursionError):
        return {}
    return dict(table) if isinstance(table, dict) else {}


def mark(table: dict[str, Any]) -> str:
    """What two equal tables have in common, and no two others; nothing can be read out of it."""
    return hashlib.sha256(json.dumps(table, sort_keys=True, default=str).encode()).hexdigest() if table else ""


def last_words(log: Path, start: int) -> str:
    """The last line of `log` behind byte `start`, without the word `error:` in front: a process's own reason for its end."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - _LOG_TAIL))
            lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return lines[-1].removeprefix("error: ") if lines else "it ended without a word"


def read_ready(descriptor: int, timeout: float) -> dict[str, Any] | None:
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
        texts = {"endpoint": str(fields["endpoint"]), "listens": str(fields.get("listens", ""))}
        return texts | {"pid": int(fields["pid"]), "port": int(fields["port"])}
    except (ValueError, KeyError, TypeError):
        return None

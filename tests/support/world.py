"""A whole set-up of the product in a temporary directory: real gateway, real sandboxes, real commands.

Everything ends with the lifetime pipe, also when a test process is killed; a `detached` world has none, as a user's gateway,
and is taken down command by command.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyopenshell.sdk.local_gateway import LocalGateway
from pyopenshell.sdk.paths import Paths
from pyopenshell.sdk.running import Started

OPENSHELL = [sys.executable, "-m", "pyopenshell.cli.main"]
COMMAND_TIMEOUT = 60.0  # seconds: a command that hangs fails its test, not the run


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    def ok(self) -> Ended:
        assert self.status == 0, f"exit {self.status}: {self.err}"
        return self

    @property
    def json(self) -> Any:
        return json.loads(self.ok().out)


class World:
    """One set-up below `base`; `start` and `stop` its gateway, run commands in it."""

    def __init__(self, base: Path, name: str = "e2e", *, detached: bool = False) -> None:
        self.base = base
        self.detached = detached
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("OPENSHELL_")} | {
            "XDG_CONFIG_HOME": str(base / "config"),
            "XDG_STATE_HOME": str(base / "state"),
            "XDG_RUNTIME_DIR": str(base / "run"),
        }
        self.gateway = LocalGateway(Paths.of(self.environ), name)
        self._lifetime, self._lifetime_far = os.pipe()

    @property
    def state(self) -> Path:
        return self.gateway.state

    def start(self) -> Started:
        """Start the gateway, on the lifetime pipe of this world unless it is detached."""
        return self.gateway.start(self.environ, lifetime=None if self.detached else self._lifetime)

    def stop(self) -> None:
        """Stop the gateway; sandboxes go on."""
        self.gateway.stop()

    def run(
        self,
        *arguments: str,
        stdin: bytes | None = b"",
        environ: Mapping[str, str] | None = None,
        timeout: float = COMMAND_TIMEOUT,
    ) -> Ended:
        """Run one `openshell` command to its end."""
        return self.command([*OPENSHELL, *arguments], stdin=stdin, environ=environ, timeout=timeout)

    def command(
        self,
        argv: list[str],
        *,
        stdin: bytes | None = b"",
        environ: Mapping[str, str] | None = None,
        timeout: float = COMMAND_TIMEOUT,
    ) -> Ended:
        """Run any command in this world's environment."""
        ended = subprocess.run(
            argv, input=stdin, capture_output=True, env=self.environ | dict(environ or {}), timeout=timeout
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr.decode(errors="replace"))

    def popen(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start one `openshell` command and go on."""
        return subprocess.Popen([*OPENSHELL, *arguments], env=self.environ, **options)

    def close(self) -> None:
        """End everything of this world and wait until it is gone."""
        if self.detached:
            self.start()
            self.run("sandbox", "delete", "--all", "--yes").ok()
            self.stop()
        process = self.gateway.process
        with contextlib.ExitStack() as stack:
            if process is not None:
                held = os.pidfd_open(process.pid)
                stack.callback(os.close, held)
            for descriptor in (self._lifetime, self._lifetime_far):
                os.close(descriptor)
            if process is not None:
                ended, _, _ = select.select([held], [], [], COMMAND_TIMEOUT)
                assert ended, "the gateway did not end with its lifetime pipe"

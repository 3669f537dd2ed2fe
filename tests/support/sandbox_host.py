"""A sandbox host of a test's own: a real `openshell-supervisor` in its own XDG set-up, as on another machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pyopenshell.drivers import presence
from pyopenshell.host.state import HostState

OPENSHELL_SUPERVISOR = [sys.executable, "-m", "pyopenshell.host.main"]
COMMAND_TIMEOUT = 60.0  # seconds: a command that hangs fails its test, not the run


class SandboxHost:
    """`start` an agent in it, `await_line` of its standard error, `close` at the end."""

    def __init__(self, base: Path) -> None:
        base.mkdir()
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("OPENSHELL_")} | {
            "XDG_CONFIG_HOME": str(base / "config"),
            "XDG_STATE_HOME": str(base / "state"),
            "XDG_RUNTIME_DIR": str(base / "run"),
        }
        self.state = HostState(base / "state" / "openshell" / "host")
        self.agent: subprocess.Popen[bytes] | None = None
        self.said: list[str] = []

    def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        """One command to its end: exit status, output, errors."""
        done = subprocess.run(
            [*OPENSHELL_SUPERVISOR, *arguments],
            input=stdin,
            capture_output=True,
            env=self.environ,
            timeout=COMMAND_TIMEOUT,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def start(self, *arguments: str, line: bytes = b"") -> None:
        """Start an agent; `line` is its invitation, for the argument `-`."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.agent = subprocess.Popen([*OPENSHELL_SUPERVISOR, *arguments], env=self.environ, **pipes)
        assert self.agent.stdin is not None
        self.agent.stdin.write(line)
        self.agent.stdin.close()

    def await_line(self, words: str) -> str:
        """Read what the agent says until a line holds `words`."""
        assert self.agent is not None and self.agent.stderr is not None
        for line in self.agent.stderr:
            self.said.append(line.decode())
            if words in self.said[-1]:
                return self.said[-1]
        raise AssertionError(f"the agent never said {words!r}: {self.said}")

    def shown(self) -> str:
        """The next line of the agent's standard output."""
        assert self.agent is not None and self.agent.stdout is not None
        return self.agent.stdout.readline().decode()

    def serve(self, *arguments: str, line: bytes = b"") -> None:
        """Start an agent and wait until it is connected."""
        self.start(*arguments, line=line)
        self.await_line("connected as host")

    def end(self, *, kill: bool = False) -> int:
        """End the agent, and wait; its exit status."""
        agent, self.agent = self.agent, None
        assert agent is not None
        (agent.kill if kill else agent.terminate)()
        status = agent.wait(COMMAND_TIMEOUT)
        for stream in (agent.stdout, agent.stderr):
            assert stream is not None
            stream.close()
        return status

    def pid(self, sandbox_id: str, kind: str) -> int:
        """The process of a sandbox: `supervisor` or `init`; 0 where none lives."""
        held = presence.find(self.state.sandboxes / sandbox_id / "run" / f"{kind}.lock")
        if held is None:
            return 0
        held.release()
        return held.pid

    def connections(self, sandbox_id: str) -> int:
        """TCP connections of a sandbox's supervisor. It is not dumpable, so that root alone may see: 1 for others."""
        if os.geteuid() != 0:
            return 1
        links = _links(Path(f"/proc/{self.pid(sandbox_id, 'supervisor')}/fd"))
        rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()]
        return sum(f"socket:[{row[9]}]" in links for row in rows[1:] if row[0] != "sl")

    def close(self) -> None:
        """End everything that is here."""
        if self.agent is not None:
            self.end()
        status, _, errors = self.run("leave", "--force")
        assert status == 0, errors
        assert self.state.sandbox_ids() == []


def _links(folder: Path) -> Sequence[str]:
    return [str(entry.readlink()) for entry in folder.iterdir()]

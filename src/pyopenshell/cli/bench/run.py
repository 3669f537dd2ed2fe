"""Walks the table: every figure is obtained by running the product as a user would, against one live sandbox.

The rows come in the order of `rows.py`; each group fills its keys in `figures` and the bare machine's in `limits`. What a
machine cannot do (no ssh, no Python inside) leaves its keys out and says so in `notes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyopenshell.cli.bench import limits as bare
from pyopenshell.cli.bench import loads, memory
from pyopenshell.cli.bench.commands import LINES_SCRIPT, PAYLOAD, Commands, payload_archive
from pyopenshell.cli.bench.statistics import median, percentile
from pyopenshell.errors import Code, OpenShellError

CREATES = 3  # sandboxes made for the create row
SAMPLE_EVERY = 0.05  # seconds between two looks at the supervisor's sockets during the storm
#: Seconds without a connection after which everything is idle: a supervisor lets its spare SSH server go in 5.
SETTLE = 7.0


@dataclass
class Bench:
    """One run. `openshell` is the argv prefix of the command line itself."""

    openshell: Sequence[str]
    sandbox: str
    environ: dict[str, str]
    connect: memory.Connect
    iterations: int
    storm: int
    say: Callable[[str], None]
    figures: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Fill `figures`, `limits` and `notes`."""
        with tempfile.TemporaryDirectory(prefix="openshell-bench-") as folder:
            scratch = Path(folder)
            commands = Commands(
                [*self.openshell, "sandbox", "exec", "-n", self.sandbox, "--no-tty", "--"],
                self._ssh(scratch), scratch, self.environ,
            )  # fmt: skip
            archive = payload_archive(scratch)
            self.say("memory of idle processes")
            self._memory()
            self.say("exec")
            self._exec(commands)
            self.say("ssh")
            self._connect(commands, archive)
            self.say("many at once")
            self._many(commands)
            self.say("forward")
            self._forward()
            self.say("create")
            self._create()
            self.say("the bare machine")
            self._bare(Commands([], [], scratch, self.environ), scratch, archive)
            self.figures["failures"] = commands.failures
            self.notes += commands.notes

    def _ssh(self, scratch: Path) -> list[str]:
        shown = self._openshell("sandbox", "ssh-config", self.sandbox)
        config = scratch / "ssh_config"
        config.write_text(shown)
        alias = next(line.split()[1] for line in shown.splitlines() if line.startswith("Host "))
        return ["ssh", "-F", str(config), "-o", "BatchMode=yes", alias]

    def _openshell(self, *arguments: str) -> str:
        ended = subprocess.run(
            [*self.openshell, *arguments], env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if ended.returncode != 0:
            told = ended.stderr.strip()[-300:].removeprefix("error: ")
            raise OpenShellError(Code.INTERNAL, f"{' '.join(arguments[:2])}: {told}")
        return ended.stdout

    def _set(self, key: str, value: float | None) -> None:
        if value is not None:
            self.figures[key] = value

    def _memory(self) -> None:
        time.sleep(SETTLE)
        processes = asyncio.run(memory.look(self.connect))
        for name in memory.PARTS:
            found = memory.memory(processes, name)
            if found is None:
                self.notes.append(f"memory of the {name}: it is not told")
            else:
                self.figures[f"{name}_pss"], self.figures[f"{name}_rss"] = found

    def _exec(self, commands: Commands) -> None:
        samples = commands.repeated([*commands.execute, "true"], self.iterations)
        if samples:
            self.figures["exec_p50"], self.figures["exec_p95"] = median(samples), percentile(samples, 0.95)
        zeros = [*commands.execute, "head", "-c", str(PAYLOAD), "/dev/zero"]
        self._set("stdout", commands.bulk(zeros, bytes_out=PAYLOAD))
        self._set("lines", commands.timed([*commands.execute, "sh", "-c", LINES_SCRIPT]))

    def _connect(self, commands: Commands, archive: Path) -> None:
        samples = commands.repeated([*commands.ssh, "true"], self.iterations)
        if samples:
            self.figures["connect_p50"], self.figures["connect_p95"] = median(samples), percentile(samples, 0.95)
        size = archive.stat().st_size
        self._set("ssh_stdout", commands.bulk([*commands.ssh, f"head -c {PAYLOAD} /dev/zero"], bytes_out=PAYLOAD))
        self._set("upload", commands.bulk([*commands.ssh, "tar xf - -C /tmp"], stdin=archive))
        self._set("download", commands.bulk([*commands.ssh, f"tar cf - -b {size // 512} -C /tmp payload"]))

    def _many(self, commands: Commands) -> None:
        true = [*commands.execute, "true"]
        self.figures["parallel_sleep"] = commands.together([*commands.execute, "sleep", "1"], 10)
        self.figures["parallel_true"] = commands.together(true, 20)
        with self._sockets_watched():
            self.figures["storm"] = commands.together(true, self.storm)
        started = time.perf_counter()
        for _ in range(50):
            commands.timed(true)
        self.figures["churn"] = time.perf_counter() - started

    @contextlib.contextmanager
    def _sockets_watched(self) -> Iterator[None]:
        """Record by how much the supervisor's sockets grow at most while the body runs."""
        watcher = memory.SocketWatcher(self.connect, SAMPLE_EVERY)
        watcher.begin()
        try:
            yield
        finally:
            watcher.stop()
        if watcher.growth is not None:
            self.figures["supervisor_sockets"] = watcher.growth

    def _forward(self) -> None:
        with self._server() as port, self._forwarded(port) as connect:
            loads.round_trips(connect)
            self.figures["forward_rtt"] = median(loads.round_trips(connect))
            self.figures["forward_open"] = median(loads.first_bytes(connect))
            self.figures["forward_down"] = sorted(loads.down(connect) / 1e6 for _ in range(3))[1]
            self.figures["forward_up"] = sorted(loads.up(connect) / 1e6 for _ in range(3))[1]

    @contextlib.contextmanager
    def _server(self) -> Iterator[int]:
        """The benchmark's server inside the sandbox, through an exec that lives as long as the body."""
        argv = [
            *self.openshell,
            "sandbox",
            "exec",
            "-n",
            self.sandbox,
            "--no-tty",
            "--",
            "/usr/bin/python3",
            "-I",
            "-c",
        ]
        server = subprocess.Popen(
            [*argv, loads.SERVER], env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline() or b"0")
        finally:
            server.terminate()
            server.communicate()

    @contextlib.contextmanager
    def _forwarded(self, port: int) -> Iterator[loads.Connect]:
        """`openshell forward service` to `port` of the sandbox: yields how to connect to its local end."""
        argv = [
            *self.openshell,
            "forward",
            "service",
            self.sandbox,
            "--target-port",
            str(port),
            "--local",
            "127.0.0.1:0",
        ]
        forward = subprocess.Popen(argv, env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            assert forward.stdout is not None
            _, address, *_ = forward.stdout.readline().decode().split()  # forwarding ADDRESS to ...
            host, _, local_port = address.rpartition(":")
            yield loads.connector(host, int(local_port))
        finally:
            forward.terminate()
            forward.communicate()

    def _create(self) -> None:
        samples = []
        for number in range(CREATES):
            name = f"{self.sandbox[:48]}-bench-{number}"
            started = time.perf_counter()
            self._openshell("sandbox", "create", name)
            samples.append(time.perf_counter() - started)
            self._openshell("sandbox", "delete", name)
        self.figures["create"] = median(samples)

    def _bare(self, commands: Commands, scratch: Path, archive: Path) -> None:
        self.limits |= bare.bare_commands(commands, self.iterations)
        self.limits |= bare.loopback()
        with bare.bare_sshd(scratch) as argv:
            if argv is None:
                self.notes.append("no sshd on this machine: the bare ssh figures are absent")
            else:
                self.limits |= bare.bare_ssh(commands, argv, self.iterations, archive)

"""The cost of distance: what commands and connections take at growing round trips between user and gateway.

    .venv/bin/python -m bench.distance [--rtt MS ...] [--repeat N] [--json]

A gateway with one sandbox, the line of bench/wan.py, and a user beyond it, all on this machine. Each figure is a median of
--repeat; below it stands how many round trips it costs: the figure without the one at no distance, by the round trip. A
plain ssh to an sshd of this machine goes over the same line, where there is one (Debian: openssh-server). Throughput is one
stream of 32 MiB, down, on a line without a limit of its rate.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

from bench.wan import Wan
from pyopenshell.model import ExecSpec, TcpTarget
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.gateways import AUTH_MTLS, Endpoint, Registry
from pyopenshell.sdk.local_gateway import LocalGateway
from pyopenshell.sdk.paths import Paths

ROUND_TRIPS = (0.0, 10.0, 60.0, 200.0)  # milliseconds
BULK = 32 << 20  # bytes
OPENSHELL = [sys.executable, "-m", "pyopenshell.cli.main"]
ECHO = """
import socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
#: Key of a figure -> what it is; those in COUNTED are told in round trips as well.
FIGURES = {
    "exec": "exec, warm connection (SDK)",
    "command": "openshell sandbox exec true",
    "first_byte": "forward, open to first byte",
    "connect": "ssh ALIAS true",
    "plain_ssh": "plain ssh, true",
    "throughput": "exec stdout, MB/s",
}
COUNTED = ("exec", "command", "first_byte", "connect", "plain_ssh")


class World:
    """A gateway in a directory, with the sandbox `web`; and users of it at a distance."""

    def __init__(self, base: Path, lifetime: int) -> None:
        self.base = base
        self.environ = self._environ("near")
        self.gateway = LocalGateway(Paths.of(self.environ), "near").start(self.environ, lifetime=lifetime).gateway
        self.run(self.environ, "sandbox", "create", "web")

    def _environ(self, name: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OPENSHELL_")}
        places = {"XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state", "XDG_RUNTIME_DIR": "run"}
        return kept | {key: str(self.base / name / place) for key, place in places.items()}

    def user(self, name: str, port: int) -> dict[str, str]:
        """The environment of a user who reaches the gateway at `port`."""
        environ = self._environ(name)
        found = self.gateway
        files = {"ca.crt": found.ca, "tls.crt": found.certificate, "tls.key": found.key}
        content = {target: source.read_bytes() for target, source in files.items()}
        where = Endpoint("https", "127.0.0.1", port)
        Registry(Paths.of(environ)).save("far", where, is_remote=True, auth_mode=AUTH_MTLS, credentials=content)
        return environ

    def run(self, environ: dict[str, str], *arguments: str) -> str:
        return subprocess.run([*OPENSHELL, *arguments], env=environ, check=True, capture_output=True, text=True).stdout


async def median(repeat: int, work: Callable[[], Awaitable[object]]) -> float:
    """Seconds that `work` takes; once before, for what only the first time costs."""
    await work()
    took = []
    for _ in range(repeat):
        start = time.perf_counter()
        await work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


async def command(environ: dict[str, str], *argv: str) -> None:
    """A process, to its end, which has to be a success."""
    quiet = dict.fromkeys(("stdin", "stdout"), subprocess.DEVNULL)
    process = await asyncio.create_subprocess_exec(*argv, env=environ, **quiet)
    if await process.wait():
        raise SystemExit(f"{argv[0]} ended with {process.returncode}")


async def measure(world: World, sshd: int | None, rtt: float, repeat: int) -> dict[str, float]:
    """All figures at one distance."""
    wan = Wan(("127.0.0.1", world.gateway.endpoint.port), rtt / 1e3, 0.0)
    environ = world.user(f"far-{rtt:g}", wan.address[1])
    figures: dict[str, float] = {}
    async with Client.of("far", environ=environ) as client:
        figures["exec"] = await median(repeat, lambda: client.run("web", ExecSpec(("true",))))
        bulk = ExecSpec(("head", "-c", str(BULK), "/dev/zero"))
        figures["throughput"] = BULK / 1e6 / await median(1, lambda: client.run("web", bulk))
        async with echo_server(client) as port, client.forward("web", TcpTarget("127.0.0.1", port)) as forward:
            figures["first_byte"] = await median(repeat, lambda: first_byte(forward.address))
    figures["command"] = await median(
        repeat, lambda: command(environ, *OPENSHELL, "sandbox", "exec", "-n", "web", "--", "true")
    )
    config = world.base / f"ssh-{rtt:g}"
    config.write_text(world.run(environ, "sandbox", "ssh-config", "web"))
    figures["connect"] = await median(
        repeat, lambda: command(environ, "ssh", "-F", str(config), "-o", "BatchMode=yes", "web.openshell", "true")
    )
    wan.close()
    if sshd is not None:
        line = Wan(("127.0.0.1", sshd), rtt / 1e3, 0.0)
        figures["plain_ssh"] = await median(repeat, lambda: command(environ, *plain_ssh(world, line.address[1])))
        line.close()
    return figures


@contextlib.asynccontextmanager
async def echo_server(client: Client) -> AsyncIterator[int]:
    """A server in the sandbox; its port."""
    async with client.exec("web", ExecSpec(("/usr/bin/python3", "-c", ECHO))) as running:
        async for piece in running:
            yield int(bytes(piece.data))
            break


async def first_byte(address: tuple[str, int]) -> None:
    """From the connection's begin to the first byte that came back."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"x")
    await reader.readexactly(1)
    writer.close()
    await writer.wait_closed()


def plain_ssh(world: World, port: int) -> list[str]:
    """OpenSSH's client as it is, with a key, to the sshd at `port`."""
    options = (
        "BatchMode=yes",
        f"UserKnownHostsFile={world.base}/known",
        "StrictHostKeyChecking=accept-new",
        "LogLevel=ERROR",
    )
    words = [word for option in options for word in ("-o", option)]
    user = pwd.getpwuid(os.geteuid()).pw_name
    identity = ["-i", f"{world.base}/user", "-o", "IdentitiesOnly=yes"]
    return ["ssh", "-F", "none", *identity, *words, "-p", str(port), f"{user}@127.0.0.1", "true"]


@contextlib.contextmanager
def plain_sshd(base: Path) -> Iterator[int | None]:
    """An sshd of this machine's own package on a free loopback port; None where there is none."""
    program = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        yield None
        return
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(base / name)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd(8): its empty root, which Debian makes at boot
    options = {
        "ListenAddress": f"127.0.0.1:{port}", "HostKey": base / "host", "AuthorizedKeysFile": base / "user.pub",
        "StrictModes": "no", "PidFile": "none", "UsePAM": "no", "UseDNS": "no",
    }  # fmt: skip
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    with subprocess.Popen(
        [program, "-D", "-e", "-f", "/dev/null", *words], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        if "listening" not in server.stderr.readline():
            raise SystemExit("sshd did not start")
        try:
            yield port
        finally:
            server.terminate()


def table(found: dict[float, dict[str, float]]) -> list[str]:
    """The rows, each with its round trips below it."""
    lines = [f"{'added round trip':<30}" + "".join(f"{rtt:>10.0f} ms" for rtt in found)]
    bare = found.get(0.0, {})
    for key, label in FIGURES.items():
        if not all(key in figures for figures in found.values()):
            continue
        scale, unit = (1.0, "MB/s") if key == "throughput" else (1e3, "ms")
        lines.append(f"{label:<30}" + "".join(f"{figures[key] * scale:>8.1f} {unit:<4}" for figures in found.values()))
        if key in COUNTED and key in bare:
            trips = [
                f"{(figures[key] - bare[key]) / rtt * 1e3:>10.1f} rt" if rtt else " " * 13
                for rtt, figures in found.items()
            ]
            lines.append(" " * 30 + "".join(trips))
    return lines


async def run(round_trips: list[float], repeat: int) -> dict[float, dict[str, float]]:
    """The figures by round trip."""
    near, far = os.pipe()  # the gateway ends with it, and the sandbox with the gateway
    try:
        with tempfile.TemporaryDirectory(prefix="openshell-distance-") as folder, plain_sshd(Path(folder)) as sshd:
            world = World(Path(folder), near)
            found = {rtt: await measure(world, sshd, rtt, repeat) for rtt in round_trips}
            LocalGateway(Paths.of(world.environ), "near").stop()
            return found
    finally:
        os.close(near)
        os.close(far)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rtt", type=float, nargs="+", default=list(ROUND_TRIPS), metavar="MS")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = asyncio.run(run(asked.rtt, asked.repeat))
    print(json.dumps(found, indent=1) if asked.json else "\n".join(table(found)))


if __name__ == "__main__":
    main()

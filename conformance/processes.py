"""The processes of a conformance run: the test service, the interop server, and programs that are run to their end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".tools" / "conformance"
PYTHON = (sys.executable, "-m")
HOST = "127.0.0.1"
#: Seconds for one program; the longest is a keepalive of 24 s.
PROGRAM_TIMEOUT = 90.0
#: Seconds for a server to listen.
START_TIMEOUT = 20.0
#: Times that the interop server, which cannot be given a socket, may find its port taken.
PORT_TRIES = 5


@dataclass(frozen=True)
class Target:
    """Where a server listens; `ca` is the authority to trust, None in the clear."""

    port: int
    ca: Path | None

    @property
    def words(self) -> str:
        return "clear" if self.ca is None else "TLS"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"


@dataclass(frozen=True)
class Ran:
    """How a program ended."""

    status: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The end of what it said, for one line."""
        said = " | ".join(f"{self.err}\n{self.out}".split("\n")[-8:])
        return f"exit status {self.status}: {said.strip()[-400:]}"


async def run(*argv: str, timeout: float = PROGRAM_TIMEOUT) -> Ran:
    """Run a program to its end; one that takes longer is killed, and has status -9."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    reading = asyncio.ensure_future(process.communicate())
    done, _ = await asyncio.wait([reading], timeout=timeout)
    if not done:
        process.kill()
    out, err = await reading
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


async def run_tool(name: str, *argv: str) -> Ran:
    """Run one of the Go programs."""
    return await run(str(TOOLS / name), *argv)


@asynccontextmanager
async def test_service(pki: Path, log: Path, broken: str = "") -> AsyncIterator[tuple[Target, Target]]:
    """`conformance/serve.py`: in the clear, over TLS. Its log lines go to `log`."""
    with log.open("ab") as err:
        process = await asyncio.create_subprocess_exec(
            *(*PYTHON, "conformance.serve", str(pki), *([broken] if broken else [])),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=err,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_TIMEOUT):
            ports = json.loads(await process.stdout.readline())
        yield Target(ports["plain"], None), Target(ports["tls"], pki / "ca.crt")
    finally:
        process.stdin.close()
        await _ended(process)


@asynccontextmanager
async def interop_server(pki: Path | None) -> AsyncIterator[Target]:
    """grpc-go's interop server, over TLS where `pki` is given."""
    argv = [str(TOOLS / "server")]
    if pki is not None:
        argv += ["-use_tls", "-tls_cert_file", str(pki / "server.crt"), "-tls_key_file", str(pki / "server.key")]
    for _ in range(PORT_TRIES):
        port = _free_port()
        process = await asyncio.create_subprocess_exec(
            *argv,
            "-port",
            str(port),
            env={**os.environ, "GRPC_GO_LOG_SEVERITY_LEVEL": "info"},
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        async with asyncio.timeout(START_TIMEOUT):
            while line := await process.stderr.readline():
                if b"listening on" in line:
                    break
        if not line:  # it ended: the port was taken meanwhile
            await process.wait()
            continue
        draining = asyncio.ensure_future(process.stderr.read())
        try:
            yield Target(port, None if pki is None else pki / "ca.crt")
        finally:
            process.terminate()
            await _ended(process)
            await draining
        return
    raise RuntimeError("grpc-go's interop server does not start")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


async def _ended(process: asyncio.subprocess.Process) -> None:
    waiting = asyncio.ensure_future(process.wait())
    done, _ = await asyncio.wait([waiting], timeout=START_TIMEOUT)
    if not done:
        process.kill()
        await waiting

"""Throughput and round trip of one relay: DataLeg, a gateway-like splice of RawLegs, DataLeg, in three processes.

`python -m bench.streams [--seconds N] [--stack tls|bare] [--profile ROLE]` prints one line a stack. The processes are on
loopback; TLS is mutual on both hops. `--profile near|gateway|far` writes that process's profile to
/tmp/streams-ROLE.prof.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import datetime
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from pyopenshell.streams import (
    FEATURE_END,
    Call,
    Channel,
    DataLeg,
    Endpoint,
    GrpcServer,
    RawLeg,
    StreamBroken,
    Tally,
    client_context,
    server_context,
    splice,
)
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

FORWARD = "/openshell.v1.OpenShell/ForwardTcp"
RELAY = "/openshell.v1.OpenShell/RelayStream"
CHUNK = 256 * 1024
ROUND_TRIPS = 2000
OPENS = 200
STARTED = b"ready\n"


def certificates(folder: Path) -> None:
    """A CA and one leaf for every role (ECDSA P-256), in PEM files."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def write(name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)

    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench ca")])

    def build(subject: x509.Name, public: Any, ca: bool) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )

    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    pem = serialization.Encoding.PEM
    write("ca.crt", build(ca_name, ca_key.public_key(), True).public_bytes(pem))
    write("tls.crt", build(leaf_name, key.public_key(), False).public_bytes(pem))
    private = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write("tls.key", key.private_bytes(pem, *private))


def client_tls(folder: str) -> ssl.SSLContext | None:
    pki = Path(folder)
    return client_context(pki / "ca.crt", pki / "tls.crt", pki / "tls.key") if folder else None


async def gateway(fd: int, folder: str) -> None:
    """Splices each ForwardTcp call with the next RelayStream call."""
    waiting: asyncio.Queue[tuple[Call, asyncio.Event]] = asyncio.Queue()

    async def forward(near: Call) -> None:
        await near.receive(pb.TcpForwardFrame)
        far, done = await waiting.get()
        near.admit()
        await near.send(pb.TcpForwardFrame(init=pb.TcpForwardInit(features=[FEATURE_END])))
        features = frozenset([FEATURE_END])
        await splice(RawLeg(near, features=features, near=True), RawLeg(far, features=features, near=False), Tally())
        done.set()

    async def relay(far: Call) -> None:
        await far.receive(pb.RelayFrame)
        far.admit()
        done = asyncio.Event()
        await waiting.put((far, done))
        await done.wait()

    pki = Path(folder)
    tls = server_context(pki / "tls.crt", pki / "tls.key", pki / "ca.crt") if folder else None
    server = GrpcServer({FORWARD: forward, RELAY: relay})
    await server.serve(socket.socket(fileno=fd), tls)
    sys.stdout.buffer.write(STARTED)
    sys.stdout.buffer.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.close()


async def far(port: int, folder: str) -> None:
    """Keeps relays open, and does what the first byte of each says: `s` send for ever, `t` take all, `e` echo."""
    channel = await Channel.connect(Endpoint("127.0.0.1", port, server_name="localhost"), client_tls(folder))
    block = os.urandom(CHUNK)

    async def one() -> None:
        call = await channel.open(RELAY)
        await call.send(pb.RelayFrame(init=pb.RelayInit(channel_id="x", features=[FEATURE_END])))
        leg = DataLeg(call)
        try:
            order = bytes(await leg.read())
        except StreamBroken:  # the measurement is over
            return
        tasks.add(task := asyncio.create_task(one()))
        task.add_done_callback(tasks.discard)
        with contextlib.suppress(Exception):
            if order[:1] == b"s":
                while True:
                    await leg.write(block)
            elif order[:1] == b"t":
                while await leg.read():
                    pass
                await leg.write(b"!")
            else:
                await leg.write(order)
                while chunk := await leg.read():
                    await leg.write(chunk)
            await leg.end()
            await leg.close()

    tasks: set[asyncio.Task[None]] = set()
    tasks.add(asyncio.create_task(one()))
    sys.stdout.buffer.write(STARTED)
    sys.stdout.buffer.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await channel.close()


async def opened(channel: Channel, order: bytes) -> DataLeg:
    """A relay whose far end does what `order` says."""
    call = await channel.open(FORWARD)
    await call.send(pb.TcpForwardFrame(init=pb.TcpForwardInit(sandbox="x", features=[FEATURE_END])))
    leg = DataLeg(call)
    await leg.write(order)
    return leg


async def near(port: int, folder: str, seconds: float) -> None:
    """Measures, and prints the figures."""
    channel = await Channel.connect(Endpoint("127.0.0.1", port, server_name="localhost"), client_tls(folder))
    leg = await opened(channel, b"s")
    start, got = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        got += len(await leg.read())
    down = got / (time.perf_counter() - start) / 1e6
    leg.abort()

    block = os.urandom(CHUNK)
    leg = await opened(channel, b"t")
    start, sent = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        await leg.write(block)
        sent += CHUNK
    await leg.end()
    await leg.read()
    up = sent / (time.perf_counter() - start) / 1e6
    leg.abort()

    leg = await opened(channel, b"e")
    await leg.read()
    trips = []
    for _ in range(ROUND_TRIPS):
        start = time.perf_counter()
        await leg.write(b"x" * 64)
        await leg.read()
        trips.append(time.perf_counter() - start)
    leg.abort()

    opens = []
    for _ in range(OPENS):
        start = time.perf_counter()
        leg = await opened(channel, b"e")
        await leg.read()
        opens.append(time.perf_counter() - start)
        leg.abort()
    p99 = statistics.quantiles(trips, n=100)[98]
    print(
        f"{'TLS ' if folder else 'bare'}  down {down:4.0f} MB/s  up {up:4.0f} MB/s  "
        f"round trip p50 {statistics.median(trips) * 1e3:.3f} ms p99 {p99 * 1e3:.3f} ms  "
        f"open + first byte p50 {statistics.median(opens) * 1e3:.2f} ms"
    )
    await channel.close()


def run_role(role: str, profile: bool, work: Coroutine[Any, Any, None]) -> None:
    if not profile:
        asyncio.run(work)
        return
    profiler = cProfile.Profile()
    profiler.runcall(asyncio.run, work)
    profiler.dump_stats(f"/tmp/streams-{role}.prof")  # noqa: S108


@contextlib.contextmanager
def relay_processes(folder: str, profile: str = "") -> Iterator[int]:
    """The gateway and the far end, running; the port of the gateway."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    common = ["--pki", folder, "--port", str(port), "--fd", str(listener.fileno()), "--profile", profile]

    def start(role: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bench.streams", "--role", role, *common]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[listener.fileno()])
        assert child.stdout is not None
        assert child.stdout.readline() == STARTED
        return child

    children = [start("gateway"), start("far")]
    try:
        yield port
    finally:
        for child in reversed(children):
            child.communicate()
        listener.close()


def measure(folder: str, seconds: float, profile: str) -> None:
    """Start the three processes, and wait for the near one."""
    with relay_processes(folder, profile) as port:
        command = [sys.executable, "-m", "bench.streams", "--role", "near", "--seconds", str(seconds)]
        subprocess.run([*command, "--pki", folder, "--port", str(port), "--profile", profile], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--profile", default="")
    parser.add_argument("--stack", choices=["both", "tls", "bare"], default="both")
    parser.add_argument("--role", default="")
    parser.add_argument("--pki", default="")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fd", type=int, default=-1)
    asked = parser.parse_args()
    profile = asked.profile == asked.role
    if asked.role == "gateway":
        run_role("gateway", profile, gateway(asked.fd, asked.pki))
    elif asked.role == "far":
        run_role("far", profile, far(asked.port, asked.pki))
    elif asked.role == "near":
        run_role("near", profile, near(asked.port, asked.pki, asked.seconds))
    else:
        if asked.stack != "bare":
            with tempfile.TemporaryDirectory() as folder:
                certificates(Path(folder))
                measure(folder, asked.seconds, asked.profile)
        if asked.stack != "tls":
            measure("", asked.seconds, asked.profile)


if __name__ == "__main__":
    main()

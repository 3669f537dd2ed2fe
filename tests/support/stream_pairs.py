"""Joined pairs of every kind of ByteStream, for the contract suite: what one end writes, the other reads."""

from __future__ import annotations

import asyncio
import datetime
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pyopenshell.streams import (
    FEATURE_END,
    ByteStream,
    Call,
    Channel,
    DataLeg,
    Endpoint,
    FdStream,
    GrpcServer,
    RawLeg,
    Tally,
    adopt,
    client_context,
    connect_tcp,
    listen_tcp,
    pair,
    serve,
    server_context,
    splice,
)
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

Pair = tuple[ByteStream, ByteStream]
FORWARD = "/openshell.v1.OpenShell/ForwardTcp"
RELAY = "/openshell.v1.OpenShell/RelayStream"


def make_pki(folder: Path) -> Path:
    """ca.crt, tls.crt and tls.key (localhost, ECDSA P-256) in `folder`, and other.crt of a CA that nobody trusts."""
    now = datetime.datetime.now(datetime.UTC)
    pem = serialization.Encoding.PEM

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def build(subject: str, public: Any, issuer: str, signer: Any, ca: bool) -> bytes:
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        return certificate.public_bytes(pem)

    ca, other, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    (folder / "ca.crt").write_bytes(build("ca", ca.public_key(), "ca", ca, True))
    (folder / "other.crt").write_bytes(build("other", other.public_key(), "other", other, True))
    (folder / "tls.crt").write_bytes(build("localhost", leaf.public_key(), "ca", ca, False))
    key = leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls.key").write_bytes(key)
    return folder


@dataclass(frozen=True)
class Tls:
    """Contexts of both sides, mutual."""

    client: ssl.SSLContext
    server: ssl.SSLContext


def make_tls(pki: Path) -> Tls:
    return Tls(
        client_context(pki / "ca.crt", pki / "tls.crt", pki / "tls.key"),
        server_context(pki / "tls.crt", pki / "tls.key", pki / "ca.crt"),
    )


@asynccontextmanager
async def running(
    handlers: dict[str, Callable[[Call], Any]], tls: Tls | None = None, **options: Any
) -> AsyncIterator[tuple[GrpcServer, Endpoint]]:
    """A server on a loopback port."""
    server = GrpcServer(handlers, **options)
    sock = listen_tcp("127.0.0.1", 0)
    await server.serve(sock, tls.server if tls else None)
    try:
        yield server, Endpoint("127.0.0.1", sock.getsockname()[1], server_name="localhost")
    finally:
        await server.close()


class MiniGateway:
    """Splices the next ForwardTcp call with the next RelayStream call; what each side announced is for the test to say."""

    def __init__(self, near_features: tuple[int, ...] = (FEATURE_END,), far_features: tuple[int, ...] = (FEATURE_END,)):
        self.near_features = frozenset(near_features)
        self.far_features = frozenset(far_features)
        self.fars: asyncio.Queue[tuple[Call, asyncio.Future[None]]] = asyncio.Queue()
        self.tally = Tally()
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @property
    def handlers(self) -> dict[str, Callable[[Call], Any]]:
        return {FORWARD: self.forward, RELAY: self.relay}

    async def forward(self, near: Call) -> None:
        await near.receive(pb.TcpForwardFrame)
        far, done = await self.fars.get()
        near.admit()
        if self.near_features:
            await near.send(pb.TcpForwardFrame(init=pb.TcpForwardInit(features=sorted(self.near_features))))
        legs = (
            RawLeg(near, features=self.near_features, near=True),
            RawLeg(far, features=self.far_features, near=False),
        )
        try:
            self.outcome.set_result(await splice(*legs, self.tally))
        finally:
            done.set_result(None)

    async def relay(self, far: Call) -> None:
        await far.receive(pb.RelayFrame)
        far.admit()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self.fars.put((far, done))
        await done


async def open_near(channel: Channel) -> DataLeg:
    call = await channel.open(FORWARD)
    await call.send(pb.TcpForwardFrame(init=pb.TcpForwardInit(sandbox="x", features=[FEATURE_END])))
    return DataLeg(call)


async def open_far(channel: Channel) -> DataLeg:
    call = await channel.open(RELAY)
    await call.send(pb.RelayFrame(init=pb.RelayInit(channel_id="x", features=[FEATURE_END])))
    return DataLeg(call)


@asynccontextmanager
async def memory_pair(tls: Tls) -> AsyncIterator[Pair]:
    yield pair()


@asynccontextmanager
async def tcp_pair(tls: Tls) -> AsyncIterator[Pair]:
    sock = listen_tcp("127.0.0.1", 0)
    accepted: asyncio.Future[ByteStream] = asyncio.get_running_loop().create_future()
    server = await serve(sock, accepted.set_result)
    near = await connect_tcp("127.0.0.1", sock.getsockname()[1])
    yield near, await accepted
    server.close()


@asynccontextmanager
async def unix_pair(tls: Tls) -> AsyncIterator[Pair]:
    one, two = socket.socketpair()
    yield await adopt(one), await adopt(two)


@asynccontextmanager
async def pipe_pair(tls: Tls) -> AsyncIterator[Pair]:
    (in_a, out_b), (in_b, out_a) = os.pipe(), os.pipe()
    yield FdStream(in_a, out_a), FdStream(in_b, out_b)


@asynccontextmanager
async def socket_fd_pair(tls: Tls) -> AsyncIterator[Pair]:
    one, two = (end.detach() for end in socket.socketpair())
    yield FdStream(one, one), FdStream(two, os.dup(two))


@asynccontextmanager
async def relay_pair(tls: Tls | None) -> AsyncIterator[Pair]:
    gateway = MiniGateway()
    async with running(gateway.handlers, tls) as (_, endpoint):
        channels = [await Channel.connect(endpoint, tls.client if tls else None) for _ in range(2)]
        yield await open_near(channels[0]), await open_far(channels[1])
        for channel in channels:
            await channel.close()


def bare_relay_pair(tls: Tls) -> AbstractAsyncContextManager[Pair]:
    return relay_pair(None)


@dataclass(frozen=True)
class Medium:
    """A kind of stream, and what it can tell: whether a peer knows an abort from an end."""

    make: Callable[[Tls], AbstractAsyncContextManager[Pair]]
    tells_abort: bool = True


MEDIA: dict[str, Medium] = {
    "memory": Medium(memory_pair),
    "tcp": Medium(tcp_pair),
    "unix": Medium(unix_pair, tells_abort=False),
    "pipes": Medium(pipe_pair, tells_abort=False),
    "socket-fds": Medium(socket_fd_pair, tells_abort=False),
    "relay": Medium(bare_relay_pair),
    "relay-tls": Medium(relay_pair),
}

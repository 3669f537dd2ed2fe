"""A process that serves the test service, in the clear and over TLS, until its stdin ends: its runner is gone then.

    python -m conformance.serve PKI_DIRECTORY [BROKEN]

Prints the two ports as one line of JSON. BROKEN names a service of `conformance/broken.py` that is served in its place.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

from conformance.broken import BROKEN
from conformance.service import NAME, TestService
from pyopenshell.gateway.reflection import SERVICES, ReflectionService
from pyopenshell.streams import GrpcServer, server_context


def listening() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


async def main(pki: Path, broken: str = "") -> None:
    service = BROKEN[broken]() if broken else TestService()
    server = GrpcServer({**service.handlers(), **ReflectionService((NAME, *SERVICES)).handlers()}, name="conformance")
    plain, tls = listening(), listening()
    ports = {"plain": plain.getsockname()[1], "tls": tls.getsockname()[1]}
    await server.serve(plain)
    await server.serve(tls, server_context(pki / "server.crt", pki / "server.key"))
    print(json.dumps(ports), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))

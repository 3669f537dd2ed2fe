"""A server of ours in a process of its own, for attacks: `python -m tests.support.hostile_server OPTIONS`.

OPTIONS is a JSON object: `pki` (a folder with certificates: TLS), `doorkeeper`, and seconds for `preface`,
`handshake`, `message`, `patience` and `first_request`. It prints its port. For each line on standard input it prints
a JSON object with what it counted, and it ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pyopenshell.streams import Call, GrpcServer, calls, grpc_server, listen_tcp, liveness, strangers, unary
from pyopenshell.streams.hits import PROCESS
from pyopenshell.streams.http2 import Http2Connection
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.stream_pairs import make_tls


class Counts:
    """What the server read: `reads` (turns in which it did), their bytes, the most at once, and bytes after the end."""

    def __init__(self) -> None:
        self.reads = self.read = self.most = self.after_end = 0
        self.stamps: WeakKeyDictionary[Http2Connection, int] = WeakKeyDictionary()

    def watch(self) -> None:
        """Count from now on."""
        deal = Http2Connection.buffer_updated

        def counted(connection: Http2Connection, n: int) -> None:
            self.reads += 1
            self.read += n
            self.most = max(self.most, n)
            self.after_end += n if connection.engine.terminated else 0
            self.stamps[connection] = self.reads
            deal(connection, n)

        Http2Connection.buffer_updated = counted  # type: ignore[method-assign]


counts = Counts()


async def friend(_: pb.HealthRequest, call: Call) -> pb.HealthResponse:
    """The well-behaved one's call: says how many other reads stood between its question and this answer."""
    call.known()
    return pb.HealthResponse(version=str(counts.reads - counts.stamps[call.stream.connection]))


async def never_read(call: Call) -> None:
    """Takes nothing of what the peer sends."""
    await asyncio.Event().wait()


async def sink(call: Call) -> None:
    """Takes everything."""
    while await call.read_raw():
        pass


async def known(call: Call) -> None:
    """Takes whole messages of a peer that somebody vouched for."""
    call.known()
    while await call.read() is not None:
        pass


async def bulk(call: Call) -> None:
    """Sends for ever."""
    block = bytes(65_536)
    while True:
        await call.write(block)


async def answer(call: Call) -> None:
    """Answers with 40 KB, as reflection does, and ends."""
    await call.write(bytes(40_000))


async def request(call: Call) -> None:
    """Wants one message."""
    await call.read()


HANDLERS = {
    "/friend": unary(pb.HealthRequest, friend),
    "/never-read": never_read,
    "/sink": sink,
    "/known": known,
    "/bulk": bulk,
    "/answer": answer,
    "/request": request,
}


async def main(options: dict[str, Any]) -> None:
    """Serve until standard input ends."""
    liveness.CLOSE_TIMEOUT = options.get("close", liveness.CLOSE_TIMEOUT)
    liveness.PREFACE_TIMEOUT = options.get("preface", liveness.PREFACE_TIMEOUT)
    calls.MESSAGE_SECONDS = grpc_server.MESSAGE_SECONDS = options.get("message", calls.MESSAGE_SECONDS)
    strangers.PATIENCE = options.get("patience", strangers.PATIENCE)
    if "message" in options or "patience" in options:
        calls.MESSAGE_RATE = strangers.RATE = 2**40
    timeouts = {f"{name}_timeout": options[name] for name in ("handshake", "first_request") if name in options}
    server = GrpcServer(HANDLERS, doorkeeper=options.get("doorkeeper", True), **timeouts)
    sock = listen_tcp("127.0.0.1", 0)
    counts.watch()
    await server.serve(sock, make_tls(Path(options["pki"])).server if "pki" in options else None)
    print(sock.getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        report = {
            "hits": {kind: n for kind, n in PROCESS.items() if n},
            "connections": server.connections,
            "calls": server.calls,
            "reads": counts.reads,
            "read": counts.read,
            "most": counts.most,
            "after_end": counts.after_end,
        }
        print(json.dumps(report), flush=True)
    await server.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))

"""A client of the service that is not ours: gRPC's own library, told where to go, what to trust, and which test to play.

Run as a process, since that library keeps threads and descriptors for the life of its process. Prints one JSON line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc

from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

SERVICE = "/openshell.v1.OpenShell/"


class Client:
    def __init__(self, port: str, pki: Path) -> None:
        credentials = grpc.ssl_channel_credentials(
            (pki / "ca.crt").read_bytes(), (pki / "client.key").read_bytes(), (pki / "client.crt").read_bytes()
        )
        self.channel = grpc.secure_channel(f"127.0.0.1:{port}", credentials)

    def unary(self, rpc: str, request: Any, response: Any) -> Any:
        call = self.channel.unary_unary(SERVICE + rpc, type(request).SerializeToString, response.FromString)
        return call(request, timeout=20)

    def events(self, rpc: str, request: Any, response: Any) -> Any:
        call = self.channel.unary_stream(SERVICE + rpc, type(request).SerializeToString, response.FromString)
        return call(request, timeout=20)

    def both(self, rpc: str, requests: Iterator[Any], request: Any, response: Any) -> Any:
        call = self.channel.stream_stream(SERVICE + rpc, request.SerializeToString, response.FromString)
        return call(requests, timeout=20)


def lists(client: Client) -> object:
    response = client.unary("ListSandboxes", pb.ListSandboxesRequest(), pb.ListSandboxesResponse)
    return [sandbox.metadata.name for sandbox in response.sandboxes]


def watches(client: Client) -> object:
    request = pb.WatchSandboxRequest(sandbox="web", follow_status=True, stop_on_terminal=True)
    return [event.sandbox.status.phase for event in client.events("WatchSandbox", request, pb.SandboxStreamEvent)]


def forwards(client: Client) -> object:
    """Send, half-close, and read to the end, without a word about features."""
    token = client.unary(
        "CreateSshSession", pb.CreateSshSessionRequest(sandbox="web"), pb.CreateSshSessionResponse
    ).token
    init = pb.TcpForwardInit(sandbox="web", authorization_token=token)
    init.ssh.SetInParent()
    data = bytes(range(256)) * 4096
    frames = [pb.TcpForwardFrame(init=init)]
    frames += [pb.TcpForwardFrame(data=data[at : at + 32768]) for at in range(0, len(data), 32768)]
    frames.insert(3, pb.TcpForwardFrame(data=b""))
    responses = list(client.both("ForwardTcp", iter(frames), pb.TcpForwardFrame, pb.TcpForwardFrame))
    kinds = sorted({response.WhichOneof("payload") for response in responses})
    return [kinds, b"".join(response.data for response in responses) == data]


def answers_first(client: Client) -> object:
    """Nothing is sent before the other side's bytes came back: both directions stay open meanwhile."""
    init = pb.TcpForwardInit(sandbox="web", authorization_token=sys.argv[4])
    init.tcp.host, init.tcp.port = "localhost", 80
    queue: SimpleQueue[pb.TcpForwardFrame | None] = SimpleQueue()
    queue.put(pb.TcpForwardFrame(init=init))
    call = client.both("ForwardTcp", iter(queue.get, None), pb.TcpForwardFrame, pb.TcpForwardFrame)
    said = []
    for word in (b"one", b"two"):
        queue.put(pb.TcpForwardFrame(data=word))
        said.append(next(call).data.decode())
    queue.put(None)
    return [*said, [response.data.decode() for response in call]]


def refused(client: Client) -> object:
    init = pb.TcpForwardInit(sandbox="web", authorization_token="forged")
    init.ssh.SetInParent()
    try:
        list(client.both("ForwardTcp", iter([pb.TcpForwardFrame(init=init)]), pb.TcpForwardFrame, pb.TcpForwardFrame))
    except grpc.RpcError as error:
        return error.code().name  # type: ignore[attr-defined]
    return "OK"


def compressed(client: Client) -> object:
    call = client.channel.unary_unary(
        f"{SERVICE}Health", pb.HealthRequest.SerializeToString, pb.HealthResponse.FromString
    )
    try:
        call(pb.HealthRequest(), timeout=20, compression=grpc.Compression.Gzip)
    except grpc.RpcError as error:
        return error.code().name  # type: ignore[attr-defined]
    return "OK"


PLAYS: dict[str, Callable[[Client], object]] = {
    play.__name__: play for play in (lists, watches, forwards, answers_first, refused, compressed)
}

if __name__ == "__main__":
    print(json.dumps(PLAYS[sys.argv[3]](Client(sys.argv[1], Path(sys.argv[2])))))

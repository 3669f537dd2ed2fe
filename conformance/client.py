"""Our client engine through gRPC's official interoperability cases (grpc/doc/interop-test-descriptions.md).

Each case is told a channel to any server of `grpc.testing.TestService`, and raises AssertionError where that server, or
our client, is not as the description says. Sizes and texts are those of the description.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from conformance.grpc.testing import empty_pb2, messages_pb2
from conformance.service import INITIAL, NAME, TRAILING, payload
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.client_call import ClientCall
from pyopenshell.streams.contract import StreamBroken, StreamClosed
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.wire.metadata import Metadata
from pyopenshell.wire.status import GrpcStatus, RemoteError, decode_message

SERVICE = f"/{NAME}/"
LARGE_REQUEST, LARGE_RESPONSE = 271_828, 314_159
REQUEST_SIZES = (27_182, 8, 1_828, 45_904)
RESPONSE_SIZES = (31_415, 9, 2_653, 58_979)
STATUS_TEXT = "test status message"
SPECIAL_TEXT = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
ECHOED: dict[str, str | bytes] = {INITIAL: "test_initial_metadata_value", TRAILING: b"\x0a\x0b\x0a\x0b\x0a\x0b"}
#: Seconds of a call that must end by itself.
PATIENCE = 20.0


def same(got: object, expected: object) -> None:
    assert got == expected, f"got {got!r:.200}, expected {expected!r:.200}"


def simple(size: int = 0, answer: int = 0, **more: Any) -> messages_pb2.SimpleRequest:
    return messages_pb2.SimpleRequest(payload=payload(size), response_size=answer, **more)


def output(size: int, *answers: int, **more: Any) -> messages_pb2.StreamingOutputCallRequest:
    asked = [messages_pb2.ResponseParameters(size=answer) for answer in answers]
    return messages_pb2.StreamingOutputCallRequest(payload=payload(size), response_parameters=asked, **more)


async def answer_size(call: ClientCall) -> int | None:
    """The size of the next answer's body, None after the last."""
    answer = await call.receive(messages_pb2.StreamingOutputCallResponse)
    return None if answer is None else len(answer.payload.body)


async def refused(awaited: Awaitable[object]) -> RemoteError:
    """The status that `awaited` ends with."""
    try:
        await awaited
    except RemoteError as error:
        return error
    raise AssertionError("the call ended with OK")


async def empty_unary(channel: Channel) -> None:
    answer = await channel.unary(SERVICE + "EmptyCall", empty_pb2.Empty(), empty_pb2.Empty, timeout=PATIENCE)
    same(answer, empty_pb2.Empty())


async def large_unary(channel: Channel) -> None:
    request = simple(LARGE_REQUEST, LARGE_RESPONSE)
    answer = await channel.unary(SERVICE + "UnaryCall", request, messages_pb2.SimpleResponse, timeout=PATIENCE)
    same(answer.payload, payload(LARGE_RESPONSE))


async def client_streaming(channel: Channel) -> None:
    call = await channel.open(SERVICE + "StreamingInputCall", timeout=PATIENCE)
    for size in REQUEST_SIZES:
        await call.send(messages_pb2.StreamingInputCallRequest(payload=payload(size)))
    await call.end()
    answer = await call.receive(messages_pb2.StreamingInputCallResponse)
    assert answer is not None
    same(answer.aggregated_payload_size, sum(REQUEST_SIZES))
    await call.status()


async def server_streaming(channel: Channel) -> None:
    request, kind = output(0, *RESPONSE_SIZES), messages_pb2.StreamingOutputCallResponse
    answers = channel.stream(SERVICE + "StreamingOutputCall", request, kind, timeout=PATIENCE)
    same([len(answer.payload.body) async for answer in answers], list(RESPONSE_SIZES))


async def ping_pong(channel: Channel) -> None:
    call = await channel.open(SERVICE + "FullDuplexCall", timeout=PATIENCE)
    for size, answer in zip(REQUEST_SIZES, RESPONSE_SIZES, strict=True):
        await call.send(output(size, answer))
        same(await answer_size(call), answer)
    await call.end()
    same(await answer_size(call), None)


async def empty_stream(channel: Channel) -> None:
    call = await channel.open(SERVICE + "FullDuplexCall", timeout=PATIENCE)
    await call.end()
    same(await answer_size(call), None)


async def timeout_on_sleeping_server(channel: Channel) -> None:
    call = await channel.open(SERVICE + "FullDuplexCall", timeout=0.001)
    try:
        await call.send(output(27_182))
        await call.status()
    except OpenShellError as error:
        same(error.code, Code.DEADLINE)
        return
    raise AssertionError("the call ended with OK")


async def cancel_after_begin(channel: Channel) -> None:
    call = await channel.open(SERVICE + "StreamingInputCall", metadata=[("key1", "value1"), ("key2", "value2")])
    call.cancel()
    await _cancelled(call)


async def cancel_after_first_response(channel: Channel) -> None:
    call = await channel.open(SERVICE + "FullDuplexCall", timeout=PATIENCE)
    await call.send(output(27_182, 31_415))
    same(await answer_size(call), 31_415)
    call.cancel()
    await _cancelled(call)


async def _cancelled(call: ClientCall) -> None:
    try:
        await call.status()
    except StreamBroken as error:
        raise AssertionError(f"broken instead of cancelled: {error}") from error
    except StreamClosed:
        return
    raise AssertionError("the call ended with OK")


async def status_code_and_message(channel: Channel) -> None:
    asked = messages_pb2.EchoStatus(code=GrpcStatus.UNKNOWN, message=STATUS_TEXT)
    request, kind = simple(response_status=asked), messages_pb2.SimpleResponse
    error = await refused(channel.unary(SERVICE + "UnaryCall", request, kind, timeout=PATIENCE))
    same((error.status, error.message), (GrpcStatus.UNKNOWN, STATUS_TEXT))
    call = await channel.open(SERVICE + "FullDuplexCall", timeout=PATIENCE)
    await call.send(output(0, response_status=asked))
    await call.end()
    error = await refused(call.status())
    same((error.status, error.message), (GrpcStatus.UNKNOWN, STATUS_TEXT))


async def special_status_message(channel: Channel) -> None:
    call = await channel.open(SERVICE + "UnaryCall", timeout=PATIENCE)
    await call.send(simple(response_status=messages_pb2.EchoStatus(code=GrpcStatus.UNKNOWN, message=SPECIAL_TEXT)))
    await call.end()
    same((await refused(call.status())).status, GrpcStatus.UNKNOWN)
    # As it came: the error's own text is made fit for a terminal.
    fields = dict(call.stream.trailers or call.stream.headers)
    same(decode_message(fields[b"grpc-message"]), SPECIAL_TEXT)


async def unimplemented_method(channel: Channel) -> None:
    await _unimplemented(channel, SERVICE)


async def unimplemented_service(channel: Channel) -> None:
    await _unimplemented(channel, "/grpc.testing.UnimplementedService/")


async def _unimplemented(channel: Channel, service: str) -> None:
    asked = channel.unary(service + "UnimplementedCall", empty_pb2.Empty(), empty_pb2.Empty, timeout=PATIENCE)
    same((await refused(asked)).status, GrpcStatus.UNIMPLEMENTED)


async def custom_metadata(channel: Channel) -> None:
    for method, request in (("UnaryCall", simple(1, 1)), ("FullDuplexCall", output(1, 1))):
        call = await channel.open(SERVICE + method, metadata=list(ECHOED.items()), timeout=PATIENCE)
        await call.send(request)
        await call.end()
        headers = await call.headers()
        assert await call.read() is not None
        await call.status()
        same(_echoed(headers), {INITIAL: ECHOED[INITIAL]})
        same(_echoed(call.trailers), {TRAILING: ECHOED[TRAILING]})


def _echoed(metadata: Metadata) -> dict[str, str | bytes]:
    return {key: value for key, value in metadata.items() if key in ECHOED}


CASES: dict[str, Callable[[Channel], Awaitable[None]]] = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_streaming,
        server_streaming,
        ping_pong,
        empty_stream,
        timeout_on_sleeping_server,
        cancel_after_begin,
        cancel_after_first_response,
        status_code_and_message,
        special_status_message,
        unimplemented_method,
        unimplemented_service,
        custom_metadata,
    )
}

"""How a call's end is read: trailers, headers alone, HTTP errors, resets. Told by a server that writes any headers."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import Header
from pyopenshell.streams import Call, Channel, StreamBroken, StreamClosed
from pyopenshell.wire.status import GrpcStatus, RemoteError
from tests.support.stream_pairs import running


async def ended_with(headers: list[Header], trailers: list[Header] | None = None) -> OpenShellError | None:
    """The error of a call that a server ends so."""

    async def answer(call: Call) -> None:
        call.stream.send_headers(headers, end_stream=trailers is None)
        if trailers is not None:
            call.stream.send_headers(trailers, end_stream=True)
        raise StreamClosed

    async with running({"/c": answer}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/c")
        try:
            await call.status()
        except OpenShellError as error:
            return error
        finally:
            call.cancel()
            await channel.close()
        return None


OK: list[Header] = [(b":status", b"200"), (b"content-type", b"application/grpc")]


async def test_ok() -> None:
    assert await ended_with(OK, [(b"grpc-status", b"0")]) is None
    assert await ended_with([*OK, (b"grpc-status", b"0")]) is None


@pytest.mark.parametrize("alone", [True, False])
async def test_a_status_in_trailers_or_alone(alone: bool) -> None:
    status: list[Header] = [(b"grpc-status", b"5"), (b"grpc-message", b"no such %f0%9f%8c%b3")]
    error = await (ended_with([*OK, *status]) if alone else ended_with(OK, status))
    assert isinstance(error, RemoteError)
    assert (error.code, error.message) == (Code.NOT_FOUND, "no such \U0001f333")


@pytest.mark.parametrize("value", [b"", b"-1", b"x", b"99"])
async def test_a_status_that_means_nothing_is_unknown(value: bytes) -> None:
    error = await ended_with(OK, [(b"grpc-status", value)])
    assert isinstance(error, RemoteError)
    assert error.status is GrpcStatus.UNKNOWN


@pytest.mark.parametrize(
    ("http", "status"),
    [
        (b"401", GrpcStatus.UNAUTHENTICATED),
        (b"403", GrpcStatus.PERMISSION_DENIED),
        (b"404", GrpcStatus.UNIMPLEMENTED),
        (b"503", GrpcStatus.UNAVAILABLE),
        (b"400", GrpcStatus.INTERNAL),
        (b"200", GrpcStatus.UNKNOWN),
        (b"418", GrpcStatus.UNKNOWN),
    ],
)
async def test_an_http_answer_without_a_grpc_status(http: bytes, status: GrpcStatus) -> None:
    error = await ended_with([(b":status", http)])
    assert isinstance(error, RemoteError)
    assert error.status is status
    assert http.decode() in error.message


async def test_a_reset_before_an_answer_is_unavailable() -> None:
    async def reset(call: Call) -> None:
        call.stream.reset(ErrorCode.INTERNAL_ERROR)

    async with running({"/c": reset}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/c")
        with pytest.raises(StreamBroken, match="INTERNAL_ERROR") as caught:
            await call.headers()
        assert caught.value.code is Code.UNAVAILABLE
        with pytest.raises(StreamBroken):
            await call.end()
        with pytest.raises(StreamBroken):
            await call.status()
        await channel.close()


async def test_the_responses_metadata() -> None:
    async def answer(call: Call) -> None:
        call.stream.send_headers([*OK, (b"k", b"v")])
        call.stream.send_headers([(b"grpc-status", b"0"), (b"t", b"w")], end_stream=True)
        raise StreamClosed

    async with running({"/c": answer}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/c")
        assert await call.headers() == {"k": "v"}
        await call.status()
        assert call.trailers == {"t": "w"}
        assert "open" in repr(call)
        await channel.close()


async def test_after_cancel_every_use_says_why() -> None:
    async def waits(call: Call) -> None:
        await call.read()
        await call.read()

    async with running({"/c": waits}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/c")
        call.cancel("the user left")
        call.cancel()
        for use in (call.read, call.headers, call.status, call.end):
            with pytest.raises(StreamClosed, match="the user left"):
                await use()
        await channel.close()


async def test_writing_to_a_call_that_was_refused_tells_the_refusal() -> None:
    async def refuses(call: Call) -> None:
        raise OpenShellError(Code.FORBIDDEN, "not you")

    async with running({"/c": refuses}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/c")
        with pytest.raises(RemoteError, match="not you"):
            while True:
                await call.write(bytes(100_000))
        await call.end()
        await channel.close()


@pytest.mark.parametrize(("passed", "code"), [(True, Code.DEADLINE), (False, Code.UNAVAILABLE)])
async def test_a_reset_at_the_deadline_is_the_deadline(passed: bool, code: Code) -> None:
    """grpc-go's server resets a call whose deadline passed, and its reset may be read before our timer is looked at."""
    go = asyncio.Event()

    async def resets(call: Call) -> None:
        await go.wait()
        call.stream.reset(ErrorCode.CANCEL)

    async with running({"/c": resets}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/c", timeout=60)
        assert call._timer is not None
        if passed:
            call._timer.cancel()
            call._timer = asyncio.get_running_loop().call_at(0, lambda: None)
        go.set()
        with pytest.raises(StreamBroken) as caught:
            await call.status()
        assert caught.value.code is code
        await channel.close()

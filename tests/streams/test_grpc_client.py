from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import Call, Channel, Endpoint, StreamBroken, client_context, listen_tcp
from pyopenshell.streams.grpc_client import clock_words
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.enrolment import EnrollingGateway
from tests.support.stream_pairs import Tls, running


async def echo(call: Call) -> None:
    while (message := await call.read()) is not None:
        await call.write(message)


async def stuck(call: Call) -> None:
    await asyncio.Event().wait()


async def answers_then_stuck(call: Call) -> None:
    await call.send(pb.HealthResponse())
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [(Endpoint("h", 1), "h:1"), (Endpoint("::1", 2), "[::1]:2"), (Endpoint(unix="/run/s"), "/run/s")],
)
def test_an_endpoint_is_shown_as_it_is_dialled(endpoint: Endpoint, text: str) -> None:
    assert str(endpoint) == text


async def test_many_calls_on_one_connection() -> None:
    async with running({"/e": echo}) as (server, endpoint):
        channel = await Channel.connect(endpoint)

        async def one(number: int) -> None:
            call = await channel.open("/e")
            for turn in range(3):
                await call.send(pb.HealthResponse(version=f"{number} {turn}"))
                answer = await call.receive(pb.HealthResponse)
                assert answer is not None
                assert answer.version == f"{number} {turn}"
            await call.end()
            assert await call.read() is None

        await asyncio.gather(*(one(number) for number in range(50)))
        assert server.connections == 1
        await channel.close()


async def test_messages_of_many_writers_are_never_mixed() -> None:
    async with running({"/e": echo}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/e")
        sizes = [10, 100_000, 300_000, 1, 70_000]
        writers = [asyncio.create_task(call.write(bytes((size % 251,)) * size)) for size in sizes]
        got = {}
        for _ in sizes:
            message = await call.read()
            assert message is not None
            assert set(bytes(message)) == {len(message) % 251}
            got[len(message)] = True
        await asyncio.gather(*writers)
        assert sorted(got) == sorted(sizes)
        call.cancel()
        await channel.close()


async def test_nobody_listens() -> None:
    sock = listen_tcp("127.0.0.1", 0)
    port = sock.getsockname()[1]
    sock.close()
    with pytest.raises(OpenShellError, match=f"cannot connect to the gateway at 127.0.0.1:{port}") as caught:
        await Channel.connect(Endpoint("127.0.0.1", port))
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.hint
    with pytest.raises(OpenShellError, match="/nowhere") as caught:
        await Channel.connect(Endpoint(unix="/nowhere"))
    assert caught.value.code is Code.UNAVAILABLE


async def test_a_server_that_never_shakes_hands(tls: Tls) -> None:
    sock = listen_tcp("127.0.0.1", 0)
    sock.listen()
    endpoint = Endpoint("127.0.0.1", sock.getsockname()[1], server_name="localhost")
    with pytest.raises(OpenShellError, match="did not answer in") as caught:
        await Channel.connect(endpoint, tls.client, timeout=0.05)
    assert caught.value.code is Code.UNAVAILABLE
    sock.close()


async def test_a_certificate_that_is_not_trusted(tls: Tls, pki: Path) -> None:
    async with running({}, tls) as (_, endpoint):
        with pytest.raises(OpenShellError, match="not trusted") as caught:
            await Channel.connect(endpoint, client_context(pki / "other.crt"))
        assert caught.value.code is Code.UNAUTHENTICATED
        with pytest.raises(OpenShellError, match="not trusted"):
            await Channel.connect(Endpoint(endpoint.host, endpoint.port), tls.client)  # the name is another


async def test_tls_against_a_plain_server(tls: Tls) -> None:
    async with running({}) as (_, endpoint):
        with pytest.raises(OpenShellError) as caught:
            await Channel.connect(endpoint, tls.client)
        assert caught.value.code is Code.UNAVAILABLE


async def test_what_does_not_speak_http2_over_tls(tls: Tls) -> None:
    tls_server = tls.server
    tls_server.set_alpn_protocols(["http/1.1"])
    try:
        async with running({}, tls) as (_, endpoint):
            with pytest.raises(OpenShellError) as caught:
                await Channel.connect(endpoint, tls.client)
            assert caught.value.code is Code.UNAVAILABLE
    finally:
        tls_server.set_alpn_protocols(["h2"])


async def test_a_lost_connection_is_unavailable_before_an_answer_and_broken_afterwards() -> None:
    async with running({"/s": stuck, "/a": answers_then_stuck}) as (server, endpoint):
        channel = await Channel.connect(endpoint)
        before, after = await channel.open("/s"), await channel.open("/a")
        await after.read()
        reading = asyncio.create_task(before.read())
        await server.close()
        with pytest.raises(StreamBroken, match="the gateway") as caught:
            await reading
        assert caught.value.code is Code.UNAVAILABLE
        with pytest.raises(StreamBroken, match="the gateway") as caught:
            await after.read()
        assert caught.value.code is Code.BROKEN
        with pytest.raises(StreamBroken):
            await after.write(b"x")
        assert channel.closed
        assert await channel.wait_closed()
        with pytest.raises(OpenShellError, match="is gone") as gone:
            await channel.open("/s")
        assert gone.value.code is Code.UNAVAILABLE
        with pytest.raises(OpenShellError, match="is gone"):
            await channel.ping()
        await channel.close()


async def test_a_deadline() -> None:
    async with running({"/s": stuck, "/a": answers_then_stuck}) as (server, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(OpenShellError) as caught:
            await channel.unary("/s", pb.HealthRequest(), pb.HealthResponse, timeout=0.05)
        assert caught.value.code is Code.DEADLINE
        call = await channel.open("/a", timeout=0.05)
        await call.read()
        with pytest.raises(OpenShellError) as caught:
            await call.read()
        assert caught.value.code is Code.DEADLINE
        await channel.ping()
        assert server.calls == 0
        await channel.close()


async def test_a_stream_that_is_left_is_cancelled() -> None:
    async with running({"/a": answers_then_stuck}) as (server, endpoint):
        channel = await Channel.connect(endpoint)
        responses = channel.stream("/a", pb.HealthRequest(), pb.HealthResponse)
        assert await anext(responses) == pb.HealthResponse()
        await responses.aclose()  # type: ignore[attr-defined]
        await channel.ping()
        await asyncio.sleep(0)
        assert server.calls == 0
        await channel.close()


async def test_an_answer_without_a_message_is_broken() -> None:
    async def nothing(call: Call) -> None:
        return None

    async with running({"/n": nothing}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(OpenShellError, match="without an answer") as caught:
            await channel.unary("/n", pb.HealthRequest(), pb.HealthResponse)
        assert caught.value.code is Code.BROKEN
        await channel.close()


async def test_an_early_refusal_counts_although_the_request_was_not_read() -> None:
    async def refuses(call: Call) -> None:
        raise OpenShellError(Code.FORBIDDEN, "not you")

    async with running({"/r": refuses}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(OpenShellError, match="not you"):
            await channel.unary("/r", pb.HealthResponse(version="x" * 3_000_000), pb.HealthResponse)
        await channel.close()


async def test_ping_and_close() -> None:
    async with running({"/s": stuck}) as (_server, endpoint):
        channel = await Channel.connect(endpoint)
        assert 0 < await channel.ping() < 5
        call = await channel.open("/s")
        reading = asyncio.create_task(call.read())
        await channel.ping()
        await channel.close()
        await channel.close()
        with pytest.raises(StreamBroken):
            await reading
        assert "we closed" in await channel.wait_closed()
        assert "lost" in repr(channel)


async def test_metadata_that_cannot_travel_is_refused_before_anything_is_sent() -> None:
    async with running({}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(OpenShellError, match="not printable"):
            await channel.open("/s", metadata=[("authorization", "Bearer \n")])
        await channel.close()


@pytest.mark.parametrize(("start", "end", "told"), [(3600.0, 7200.0, "not yet valid"), (-7200.0, -3600.0, "expired")])
async def test_a_certificate_out_of_its_time_names_the_clock(
    tmp_path: Path, start: float, end: float, told: str
) -> None:
    gateway = await EnrollingGateway(tmp_path).start(start=start, end=end)
    try:
        with pytest.raises(OpenShellError, match=f"{told} .this machine's clock says .* UTC") as caught:
            await Channel.connect(Endpoint("127.0.0.1", gateway.port), client_context(tmp_path / "ca.crt"))
        assert (caught.value.code, caught.value.hint) == (Code.UNAUTHENTICATED, "is that clock right?")
    finally:
        await gateway.stop()
    assert clock_words(18) == ""  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: no clock is to blame

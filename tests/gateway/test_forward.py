"""ForwardTcp on the wire: every row of the contract, from both ends, and everything that ends a live stream."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec
from pyopenshell.streams import DataLeg, ExecChannel
from pyopenshell.streams.contract import StreamBroken
from pyopenshell.streams.windows import ADMITTED, INITIAL
from pyopenshell.wire.convert import exec_start
from pyopenshell.wire.exec_frames import Kind, encode
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from pyopenshell.wire.status import GrpcStatus, RemoteError
from tests.gateway.conftest import MakeKit
from tests.support.fake_supervisor import SERVICE, FakeSupervisor
from tests.support.gateway_kit import Kit, exec_, files, ssh, tcp


async def refused(leg: DataLeg) -> OpenShellError:
    """How the gateway refuses this stream."""
    with pytest.raises(OpenShellError) as caught:
        async with asyncio.timeout(20):
            await leg.read()
    return caught.value


async def relays(kit: Kit) -> list[ext.Relay]:
    return list((await kit.extension("ListRelays", ext.ListRelaysRequest(), ext.ListRelaysResponse)).relays)


# --- the way there and back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["ssh", "tcp", "files"])
async def test_bytes_go_there_and_back(kit: Kit, target: str) -> None:
    sandbox = await kit.ready()
    init = {"ssh": ssh, "tcp": tcp}[target]("web", await kit.token()) if target != "files" else files("web")
    leg = await kit.forward(init)
    await leg.write(b"hello")
    assert bytes(await leg.read()) == b"hello"
    opened = await kit.supervisor(sandbox).opens.get()
    assert opened.WhichOneof("target") == target
    await leg.end()
    assert await leg.read() == b""
    await leg.close()


@pytest.mark.parametrize("target", [ssh, tcp])
async def test_by_identity_no_token_is_needed_and_none_is_looked_at(kit: Kit, target: object) -> None:
    sandbox = await kit.ready()
    for token in ("", "garbage"):
        init = target("web", token)  # type: ignore[operator]
        init.by_identity = True
        leg = await kit.forward(init)
        answer = pb.TcpForwardInit.FromString(await leg.init() or b"")
        assert answer.host_key == (sandbox.host_key if target is ssh else "")
        await leg.write(b"hello")
        assert bytes(await leg.read()) == b"hello"
        leg.abort()


async def test_a_sandbox_is_named_by_its_id_too(kit: Kit) -> None:
    sandbox = await kit.ready()
    leg = await kit.forward(files(sandbox.metadata.id))
    await leg.write(b"x")
    assert bytes(await leg.read()) == b"x"
    leg.abort()


async def test_the_first_answer_names_the_relay_and_what_all_three_can(kit: Kit) -> None:
    sandbox = await kit.ready()
    leg = await kit.forward(files("web", features=(1, 2, 99)))
    answer = pb.TcpForwardInit.FromString(await leg.init() or b"")
    opened = await kit.supervisor(sandbox).opens.get()
    assert answer.relay_id == opened.channel_id
    assert list(answer.features) == [1]
    leg.abort()


async def test_a_supervisor_without_features_leaves_none_in_common(kit: Kit) -> None:
    kit.prepare = lambda supervisor: setattr(supervisor, "features", ())
    await kit.ready()
    leg = await kit.forward(files("web"))
    assert list(pb.TcpForwardInit.FromString(await leg.init() or b"").features) == []
    leg.abort()


async def test_a_caller_without_features_gets_no_init(kit: Kit) -> None:
    await kit.ready()
    leg = await kit.forward(files("web", features=()))
    await leg.write(b"x")
    assert await leg.init() is None
    assert bytes(await leg.read()) == b"x"
    await leg.end()
    assert await leg.read() == b""
    await leg.close()


async def test_near_ends_first_and_far_goes_on(kit: Kit) -> None:
    async def count(leg: DataLeg) -> None:
        total = 0
        while data := await leg.read():
            total += len(data)
        await leg.write(str(total).encode())
        await leg.end()
        await leg.close()

    kit.prepare = lambda supervisor: setattr(supervisor, "serve", count)
    await kit.ready()
    leg = await kit.forward(files("web"))
    await leg.write(bytes(3_000_000))
    await leg.end()
    assert bytes(await leg.read()) == b"3000000"
    assert await leg.read() == b""
    await leg.close()


async def test_far_ends_first_and_near_goes_on(kit: Kit) -> None:
    received = asyncio.get_running_loop().create_future()

    async def end_first(leg: DataLeg) -> None:
        await leg.write(b"bye")
        await leg.end()
        data = b""
        while chunk := await leg.read():
            data += bytes(chunk)
        received.set_result(data)
        await leg.close()

    kit.prepare = lambda supervisor: setattr(supervisor, "serve", end_first)
    await kit.ready()
    leg = await kit.forward(files("web"))
    assert bytes(await leg.read()) == b"bye"
    assert await leg.read() == b""
    await leg.write(b"still here")
    await leg.end()
    assert await received == b"still here"
    await leg.close()


@pytest.mark.parametrize("end", ["near", "far"])
async def test_an_abort_of_one_leg_is_an_abort_of_the_other(kit: Kit, end: str) -> None:
    far_leg: asyncio.Future[DataLeg] = asyncio.get_running_loop().create_future()

    async def hold(leg: DataLeg) -> None:
        far_leg.set_result(leg)

    kit.prepare = lambda supervisor: setattr(supervisor, "serve", hold)
    await kit.ready()
    leg = await kit.forward(files("web"))
    await leg.init()
    far = await far_leg
    (leg if end == "near" else far).abort("crash")
    with pytest.raises(StreamBroken):
        await (far if end == "near" else leg).read()
    while await relays(kit):
        pass


# --- what is refused, and how -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        pb.TcpForwardFrame(data=b"x"),
        pb.TcpForwardFrame(end=True),
        pb.TcpForwardFrame(),
        pb.TcpForwardFrame(init=pb.TcpForwardInit(sandbox="web", authorization_token="t")),
    ],
    ids=["data", "end", "empty", "no target"],
)
async def test_the_first_message_is_init_with_a_target(kit: Kit, first: pb.TcpForwardFrame) -> None:
    await kit.ready()
    call = await kit.channel.open(f"{SERVICE}ForwardTcp")
    await call.send(first)
    with pytest.raises(RemoteError) as caught:
        await call.status()
    assert caught.value.status is GrpcStatus.INVALID_ARGUMENT


async def test_a_stream_that_ends_before_init(kit: Kit) -> None:
    call = await kit.channel.open(f"{SERVICE}ForwardTcp")
    await call.end()
    with pytest.raises(RemoteError) as caught:
        await call.status()
    assert caught.value.status is GrpcStatus.INVALID_ARGUMENT


async def test_garbage_for_a_first_message(kit: Kit) -> None:
    call = await kit.channel.open(f"{SERVICE}ForwardTcp")
    await call.write(b"\xff\xff\xff\xff")
    with pytest.raises(RemoteError) as caught:
        await call.status()
    assert caught.value.status is GrpcStatus.INVALID_ARGUMENT


async def test_a_first_message_over_its_limit(kit: Kit) -> None:
    call = await kit.channel.open(f"{SERVICE}ForwardTcp")
    with pytest.raises(RemoteError) as caught:
        await call.write(bytes(1024 * 1024 + 1))
    assert caught.value.status is GrpcStatus.RESOURCE_EXHAUSTED


async def test_init_has_to_come_in_time(make_kit: MakeKit) -> None:
    kit = await make_kit(first_message_timeout=0.01)
    call = await kit.channel.open(f"{SERVICE}ForwardTcp")
    with pytest.raises(RemoteError) as caught:
        await call.status()
    assert caught.value.status is GrpcStatus.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "169.254.169.254", "::ffff:10.0.0.1", "localhost.evil", "0x7f000001", "127.1", "", "::", "[::1]"],
)
async def test_hosts_that_are_not_loopback(kit: Kit, host: str) -> None:
    sandbox = await kit.ready()
    leg = await kit.forward(tcp("web", await kit.token(), host=host))
    assert (await refused(leg)).code is Code.INVALID
    assert kit.supervisor(sandbox).opens.empty()


@pytest.mark.parametrize("port", [0, 65536, 2**32 - 1])
async def test_ports_out_of_range(kit: Kit, port: int) -> None:
    await kit.ready()
    assert (await refused(await kit.forward(tcp("web", await kit.token(), port=port)))).code is Code.INVALID


@pytest.mark.parametrize(
    ("host", "dialled"),
    [
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.8.9.1", "127.8.9.1"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
async def test_hosts_that_are(kit: Kit, host: str, dialled: str) -> None:
    sandbox = await kit.ready()
    leg = await kit.forward(tcp("web", await kit.token(), host=host, port=8080))
    await leg.init()
    opened = await kit.supervisor(sandbox).opens.get()
    assert (opened.tcp.host, opened.tcp.port) == (dialled, 8080)
    leg.abort()


async def test_unknown_sandbox(kit: Kit) -> None:
    error = await refused(await kit.forward(ssh("nobody", "token")))
    assert error.code is Code.NOT_FOUND


async def test_no_sandbox_named(kit: Kit) -> None:
    assert (await refused(await kit.forward(ssh("", "token")))).code is Code.INVALID


async def test_a_sandbox_that_is_not_ready(kit: Kit) -> None:
    await kit.ready()
    token = await kit.token()
    await kit.call("StopSandbox", pb.StopSandboxRequest(name="web"), pb.SandboxResponse)
    error = await refused(await kit.forward(ssh("web", token)))
    assert error.code is Code.PRECONDITION
    assert "Stopped" in error.message


@pytest.mark.parametrize("token", ["", "oss_" + "A" * 43, "garbage", "Bearer x", "\n"])
@pytest.mark.parametrize("target", [ssh, tcp])
async def test_tokens_that_are_none(kit: Kit, token: str, target: object) -> None:
    sandbox = await kit.ready()
    leg = await kit.forward(target("web", token))  # type: ignore[operator]
    assert (await refused(leg)).code is Code.UNAUTHENTICATED
    assert kit.supervisor(sandbox).opens.empty()


async def test_a_revoked_token(kit: Kit) -> None:
    await kit.ready()
    token = await kit.token()
    await kit.call("RevokeSshSession", pb.RevokeSshSessionRequest(token=token), pb.RevokeSshSessionResponse)
    assert (await refused(await kit.forward(ssh("web", token)))).code is Code.UNAUTHENTICATED


async def test_an_expired_token(make_kit: MakeKit) -> None:
    kit = await make_kit(session_ttl=0.001)
    await kit.ready()
    token = await kit.token()
    assert (await refused(await kit.forward(ssh("web", token)))).code is Code.UNAUTHENTICATED


async def test_another_sandboxes_token(kit: Kit) -> None:
    await kit.ready()
    await kit.ready("db")
    assert (await refused(await kit.forward(ssh("web", await kit.token("db"))))).code is Code.UNAUTHENTICATED


async def test_a_token_for_another_target(kit: Kit) -> None:
    await kit.ready()
    target = pb.SessionTarget(tcp=pb.TcpRelayTarget(host="127.0.0.1", port=80))
    token = await kit.token(target=target, max_connections=5)
    leg = await kit.forward(tcp("web", token, port=80))
    await leg.init()
    leg.abort()
    assert (await refused(await kit.forward(tcp("web", token, port=81)))).code is Code.UNAUTHENTICATED
    assert (await refused(await kit.forward(ssh("web", token)))).code is Code.UNAUTHENTICATED


async def test_another_principals_token(kit: Kit) -> None:
    await kit.ready()
    mine = await kit.token()
    other = await kit.connect_tls(cert=False)
    metadata = await kit.api_token()
    leg = await kit.forward(ssh("web", mine), other, metadata=metadata)
    assert (await refused(leg)).code is Code.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("scope", "target"), [("forward", "ssh"), ("ssh", "exec"), ("exec", "files"), ("files", "exec")]
)
async def test_scopes_hold_for_each_target(kit: Kit, scope: str, target: str) -> None:
    await kit.ready()
    other = await kit.connect_tls(cert=False)
    metadata = await kit.api_token(scope)
    init = {"ssh": ssh("web", "t"), "exec": exec_("web"), "files": files("web")}[target]
    assert (await refused(await kit.forward(init, other, metadata=metadata))).code is Code.FORBIDDEN


async def test_a_caller_without_credentials(kit: Kit) -> None:
    await kit.ready()
    other = await kit.connect_tls(cert=False)
    assert (await refused(await kit.forward(files("web"), other))).code is Code.UNAUTHENTICATED


async def test_a_supervisor_may_not_forward(kit: Kit) -> None:
    sandbox = await kit.ready()
    supervisor = kit.supervisor(sandbox)
    leg = await kit.forward(files("web"), await kit.connect_far(), metadata=supervisor.metadata)
    assert (await refused(leg)).code is Code.FORBIDDEN


# --- limits -----------------------------------------------------------------------------------------------------------


async def test_three_for_a_token_before_anything_is_dialled(kit: Kit) -> None:
    sandbox = await kit.ready()
    token = await kit.token()
    legs = [await kit.forward(ssh("web", token)) for _ in range(3)]
    for leg in legs:
        await leg.init()
    error = await refused(await kit.forward(ssh("web", token)))
    assert error.code is Code.EXHAUSTED
    assert kit.supervisor(sandbox).opens.qsize() == 3
    await legs[0].end()
    assert await legs[0].read() == b""
    await legs[0].close()
    again = await kit.forward(ssh("web", token))
    await again.init()
    for leg in (again, *legs):
        leg.abort()


async def test_the_limit_of_a_sandbox_counts_all_tokens(make_kit: MakeKit) -> None:
    from pyopenshell.relay.limits import ConnectionLimits

    kit = await make_kit(limits=ConnectionLimits(per_token=2, per_sandbox=3))
    await kit.ready()
    one, two = await kit.token(), await kit.token()
    legs = [await kit.forward(ssh("web", token)) for token in (one, one, two)]
    for leg in legs:
        await leg.init()
    assert (await refused(await kit.forward(ssh("web", two)))).code is Code.EXHAUSTED
    granted = await kit.forward(ssh("web", await kit.token(max_connections=50)))
    await granted.init()
    command = await kit.forward(files("web"))
    await command.init()
    for leg in (*legs, granted, command):
        leg.abort()


# --- what the far side does -------------------------------------------------------------------------------------------


async def test_a_target_that_cannot_be_dialled(kit: Kit) -> None:
    refusal = pb.RelayOpenResult(success=False, error="connection refused\n\x1b[31m")
    kit.prepare = lambda supervisor: setattr(supervisor, "refuse", refusal)
    await kit.ready()
    error = await refused(await kit.forward(tcp("web", await kit.token())))
    assert error.code is Code.UNAVAILABLE
    assert "connection refused" in error.message
    assert "\x1b" not in error.message


async def test_a_supervisors_own_code_is_passed_on(kit: Kit) -> None:
    refusal = pb.RelayOpenResult(success=False, error="too many", failure=int(GrpcStatus.RESOURCE_EXHAUSTED))
    kit.prepare = lambda supervisor: setattr(supervisor, "refuse", refusal)
    await kit.ready()
    assert (await refused(await kit.forward(files("web")))).code is Code.EXHAUSTED


@pytest.mark.parametrize("what", ["answer", "claim"])
async def test_a_relay_that_nobody_claims(make_kit: MakeKit, what: str) -> None:
    kit = await make_kit(claim_timeout=0.05)
    kit.prepare = lambda supervisor: setattr(supervisor, what, False)
    sandbox = await kit.ready()
    assert (await refused(await kit.forward(files("web")))).code is Code.DEADLINE
    closed = await kit.supervisor(sandbox).closes.get()
    assert closed.channel_id == (await kit.supervisor(sandbox).opens.get()).channel_id


async def test_the_supervisor_closes_a_relay_that_it_was_asked_for(kit: Kit) -> None:
    kit.prepare = lambda supervisor: setattr(supervisor, "answer", False)
    sandbox = await kit.ready()
    leg = await kit.forward(files("web"))
    supervisor = kit.supervisor(sandbox)
    opened = await supervisor.opens.get()
    await supervisor.send(relay_close=pb.RelayClose(channel_id=opened.channel_id, reason="shutting down"))
    error = await refused(leg)
    assert error.code is Code.UNAVAILABLE
    assert "shutting down" in error.message


async def test_a_caller_that_goes_away_while_it_waits(kit: Kit) -> None:
    kit.prepare = lambda supervisor: setattr(supervisor, "answer", False)
    sandbox = await kit.ready()
    leg = await kit.forward(files("web"))
    supervisor = kit.supervisor(sandbox)
    opened = await supervisor.opens.get()
    leg.abort()
    assert (await supervisor.closes.get()).channel_id == opened.channel_id
    assert await relays(kit) == []


async def test_opens_wait_for_a_supervisor_in_its_grace(kit: Kit) -> None:
    sandbox = await kit.ready()
    await kit.supervisor(sandbox).lose()
    leg = await kit.forward(files("web"))
    await leg.write(b"patience")
    assert (await kit.get()).status.phase == pb.SANDBOX_PHASE_READY
    supervisor = await FakeSupervisor(kit.driver.births[sandbox.metadata.id]).connect()
    assert bytes(await leg.read()) == b"patience"
    leg.abort()
    await supervisor.lose()


async def test_after_the_grace_it_is_unavailable(make_kit: MakeKit) -> None:
    kit = await make_kit(grace=0.05)
    sandbox = await kit.ready()
    await kit.supervisor(sandbox).lose()
    assert (await refused(await kit.forward(files("web")))).code is Code.UNAVAILABLE
    await kit.until("web", pb.SANDBOX_PHASE_UNKNOWN)
    assert (await refused(await kit.forward(files("web")))).code is Code.UNAVAILABLE


async def test_opens_wait_after_a_restart_of_the_gateway(kit: Kit) -> None:
    sandbox = await kit.ready()
    token = await kit.token()
    birth = kit.driver.births[sandbox.metadata.id]
    await kit.restart()
    leg = await kit.forward(ssh("web", token))
    await leg.write(b"patience")
    supervisor = await FakeSupervisor(birth).connect()
    assert bytes(await leg.read()) == b"patience"
    leg.abort()
    await supervisor.lose()


# --- cut from outside -------------------------------------------------------------------------------------------------


async def live(kit: Kit, init: pb.TcpForwardInit, **more: object) -> DataLeg:
    leg = await kit.forward(init, **more)  # type: ignore[arg-type]
    await leg.write(b"x")
    assert bytes(await leg.read()) == b"x"
    return leg


async def test_a_revoked_token_cuts_its_live_streams_and_no_others(kit: Kit) -> None:
    await kit.ready()
    token = await kit.token()
    cut = await live(kit, ssh("web", token))
    other = await live(kit, ssh("web", await kit.token()))
    await kit.call("RevokeSshSession", pb.RevokeSshSessionRequest(token=token), pb.RevokeSshSessionResponse)
    assert (await refused(cut)).code is Code.UNAUTHENTICATED
    await other.write(b"y")
    assert bytes(await other.read()) == b"y"
    other.abort()


async def test_a_token_that_expires_cuts_its_live_streams(kit: Kit) -> None:
    await kit.ready()
    leg = await live(kit, ssh("web", await kit.token()))
    (relay,) = await relays(kit)
    board = kit.gateway.services.board
    assert relay.channel_id in board.switchboard._ends._at
    board.switchboard._ends.set(relay.channel_id, board.now())  # a day later
    board._tick()
    assert (await refused(leg)).code is Code.UNAUTHENTICATED


async def test_a_revoked_api_token_cuts_what_it_opened(kit: Kit) -> None:
    await kit.ready()
    metadata = await kit.api_token()
    channel = await kit.connect_tls(cert=False)
    leg = await live(kit, files("web"), channel=channel, metadata=metadata)
    await kit.extension("RevokeToken", ext.RevokeTokenRequest(id="ci"), ext.RevokeTokenResponse)
    assert (await refused(leg)).code is Code.UNAUTHENTICATED


async def test_an_api_token_that_expires_cuts_what_it_opened(kit: Kit) -> None:
    await kit.ready()
    metadata = await kit.api_token()
    leg = await live(kit, files("web"), channel=await kit.connect_tls(cert=False), metadata=metadata)
    (relay,) = await relays(kit)
    board = kit.gateway.services.board
    assert relay.channel_id in board.switchboard._ends._at
    board.switchboard._ends.set(relay.channel_id, board.now())  # a month later
    board._tick()
    assert (await refused(leg)).code is Code.UNAUTHENTICATED


@pytest.mark.parametrize("rpc", ["StopSandbox", "DeleteSandbox"])
async def test_a_sandbox_that_ends_cuts_its_live_streams(kit: Kit, rpc: str) -> None:
    await kit.ready()
    leg = await live(kit, files("web"))
    if rpc == "StopSandbox":
        await kit.call(rpc, pb.StopSandboxRequest(name="web"), pb.SandboxResponse)
    else:
        await kit.call(rpc, pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)
    assert (await refused(leg)).code is Code.UNAVAILABLE


async def test_a_stopped_reader_is_cut_too(kit: Kit) -> None:
    await kit.ready()
    token = await kit.token()
    leg = await kit.forward(ssh("web", token))
    await leg.init()

    async def flood() -> None:
        while True:
            await leg.write(bytes(65536))

    flooding = asyncio.ensure_future(flood())
    await kit.call("RevokeSshSession", pb.RevokeSshSessionRequest(token=token), pb.RevokeSshSessionResponse)
    with pytest.raises(OpenShellError):
        await flooding
    while await relays(kit):
        pass


async def test_live_relays_are_listed_with_their_counts(kit: Kit) -> None:
    sandbox = await kit.ready()
    leg = await live(kit, ssh("web", await kit.token()))
    (relay,) = await relays(kit)
    assert (relay.sandbox, relay.sandbox_id, relay.target) == ("web", sandbox.metadata.id, "ssh")
    assert relay.principal == "tester"
    assert relay.bytes_far > 0
    assert relay.bytes_near > 0
    leg.abort()


# --- exec streams: the one frame that is looked at --------------------------------------------------------------------


async def test_the_start_frame_is_passed_on_as_it_came(kit: Kit) -> None:
    started = asyncio.get_running_loop().create_future()

    async def serve(leg: DataLeg) -> None:
        channel = ExecChannel(leg)
        frame = await channel.receive()
        assert frame is not None
        started.set_result((frame.kind, pb.ExecStart.FromString(bytes(frame.payload))))
        stdin = await channel.receive()
        assert stdin is not None
        await channel.stdout(stdin.payload)
        await channel.exit(pb.ExecExit(code=3))

    kit.prepare = lambda supervisor: setattr(supervisor, "serve", serve)
    await kit.ready()
    channel = ExecChannel(await kit.forward(exec_("web")))
    await channel.start(ExecSpec(("cat",), {"A": "b" * 100_000}))
    await channel.stdin(b"input")
    kind, start = await started
    assert kind is Kind.START
    assert list(start.argv) == [b"cat"]
    assert len(start.environment["A"]) == 100_000
    out = await channel.receive()
    assert out is not None
    assert bytes(out.payload) == b"input"
    last = await channel.receive()
    assert last is not None
    assert pb.ExecExit.FromString(bytes(last.payload)).code == 3


async def test_a_start_frame_in_many_pieces(kit: Kit) -> None:
    await kit.ready()
    leg = await kit.forward(exec_("web"))
    frame = encode(Kind.START, exec_start(ExecSpec(("true",))).SerializeToString())
    for at in range(len(frame)):
        await leg.write(frame[at : at + 1])
    received = b""
    while len(received) < len(frame):
        received += bytes(await leg.read())
    assert received == frame
    leg.abort()


@pytest.mark.parametrize(
    "frame",
    [
        encode(Kind.STDIN, b"x"),
        encode(Kind.STDIN_END),
        encode(Kind.START, b"\xff\xff\xff"),
        encode(Kind.START, pb.ExecStart().SerializeToString()),
        encode(Kind.START, pb.ExecStart(argv=[b"a\0b"]).SerializeToString()),
        encode(Kind.START, pb.ExecStart(argv=[b"a"], environment={"A": b"x" * 200_000}).SerializeToString()),
    ],
    ids=["stdin", "stdin end", "garbage", "no argv", "NUL", "long variable"],
)
async def test_exec_streams_that_begin_otherwise(kit: Kit, frame: bytes) -> None:
    await kit.ready()
    leg = await kit.forward(exec_("web"))
    await leg.write(frame)
    assert (await refused(leg)).code is Code.INVALID
    assert await relays(kit) == []


async def test_an_exec_stream_that_ends_before_its_start(kit: Kit) -> None:
    await kit.ready()
    leg = await kit.forward(exec_("web"))
    await leg.end()
    assert (await refused(leg)).code is Code.INVALID


async def test_a_start_frame_that_does_not_come(make_kit: MakeKit) -> None:
    kit = await make_kit(first_message_timeout=0.5)
    await kit.ready()
    assert (await refused(await kit.forward(exec_("web")))).code is Code.DEADLINE


async def test_over_the_budget_relays_work_all_the_same(make_kit: MakeKit) -> None:
    kit = await make_kit(relay_budget=INITIAL)
    await kit.ready()
    windows = kit.gateway.windows
    leg = await kit.forward(files("web"))
    sending = asyncio.ensure_future(leg.write(bytes(1_000_000)))
    left = 1_000_000
    while left:
        left -= len(await leg.read())
    assert windows.used == 3 * INITIAL  # the supervisor's control stream, and both ends of the relay
    await sending
    leg.abort()


async def test_admitted_relays_count_in_the_budget(kit: Kit) -> None:
    await kit.ready()
    windows = kit.gateway.windows
    leg = await kit.forward(files("web"))
    await leg.write(b"x")
    assert await leg.read()
    assert windows.used == INITIAL + 2 * ADMITTED
    leg.abort()

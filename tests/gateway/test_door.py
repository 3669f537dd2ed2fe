"""Each RPC × each role: who gets in is what the table of authorize.py says, on the wire, at the right door."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authorize import RULES, Action
from pyopenshell.gateway.door import EXTENSION, OPENSHELL, REMEMBERED, REMEMBERED_MAX, Known, Rpc, _until_cut
from pyopenshell.gateway.leases import Lease
from pyopenshell.model import Principal, Role
from pyopenshell.streams.grpc_server import Call
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from pyopenshell.wire.status import GrpcStatus, RemoteError
from tests.support.enrolling import HOST, enrol
from tests.support.gateway_kit import Kit


def path_of(action: Action) -> str | None:
    """The gRPC path of an action that is a call of its own."""
    for service, name in ((pb.DESCRIPTOR, OPENSHELL), (ext.DESCRIPTOR, EXTENSION)):
        for found in service.services_by_name.values():
            if action.value in found.methods_by_name:
                return f"/{name}/{action.value}"
    return None


async def refusal(kit: Kit, path: str, **more: object) -> Code | None:
    """The code of a refusal at the door, None where the call got in (an empty or broken request is not the door's)."""
    call = await more.pop("channel").open(path, **more)  # type: ignore[attr-defined]
    try:
        await call.end()
        await call.status()
    except RemoteError as error:
        return None if error.status is GrpcStatus.INVALID_ARGUMENT else error.code
    return None


@pytest.mark.parametrize("role", list(Role))
async def test_every_call_lets_in_its_roles_alone(kit: Kit, role: Role) -> None:
    sandbox = await kit.ready()
    supervisor = kit.supervisor(sandbox)
    more: dict[str, object] = {
        Role.ADMIN: {"channel": kit.channel},
        Role.USER: {"channel": await kit.connect_tls(cert=False), "metadata": await kit.api_token()},
        Role.SUPERVISOR: {"channel": await kit.connect_far(), "metadata": supervisor.metadata},
        Role.HOST: {"channel": await (await enrol(kit, HOST, "lab1")).connect(kit)},
    }[role]
    tried = 0
    for rpc in kit.gateway.services.rpcs():
        found = await refusal(kit, rpc.path, **more)
        assert (found is Code.FORBIDDEN) == (role not in RULES[rpc.action].roles), f"{role} at {rpc.path}: {found}"
        tried += 1
    assert tried > 25


async def test_no_call_is_open_to_nobody(kit: Kit) -> None:
    for channel in (await kit.connect_tls(cert=False), await kit.connect_far()):
        for rpc in kit.gateway.services.rpcs():
            assert await refusal(kit, rpc.path, channel=channel) is Code.UNAUTHENTICATED, rpc.path


async def test_every_served_call_is_in_the_protos_and_in_the_policy(kit: Kit) -> None:
    for rpc in kit.gateway.services.rpcs():
        assert rpc.path == path_of(rpc.action)
        assert rpc.action in RULES
        assert sum(fn is not None for fn in (rpc.one, rpc.many, rpc.raw)) == 1


async def test_two_credentials_are_not_chosen_from(kit: Kit) -> None:
    metadata = [*await kit.api_token(), ("authorization", "Bearer x")]
    with pytest.raises(OpenShellError) as caught:
        await kit.call("Health", pb.HealthRequest(), pb.HealthResponse, metadata=metadata)
    assert caught.value.code is Code.UNAUTHENTICATED


async def test_a_bad_bearer_is_not_saved_by_a_good_certificate(kit: Kit) -> None:
    with pytest.raises(OpenShellError) as caught:
        await kit.call(
            "Health", pb.HealthRequest(), pb.HealthResponse, metadata=[("authorization", "Bearer ost_" + "A" * 43)]
        )
    assert caught.value.code is Code.UNAUTHENTICATED


async def test_refused_callers_are_audited(kit: Kit) -> None:
    channel = await kit.connect_tls(cert=False)
    with pytest.raises(OpenShellError):
        await kit.call("Health", pb.HealthRequest(), pb.HealthResponse, channel=channel)
    await kit.gateway.stop()
    assert '"Health"' in (kit.settings.state / "audit.jsonl").read_text()


def test_what_is_remembered_and_for_how_long() -> None:
    known = Known()
    owner, user = Principal("me", Role.ADMIN, provider="mtls"), Principal("ci", Role.USER, provider="token")
    known.put(b"der", owner, 100.0)
    known.put("Bearer ost_", user, 100.0)
    known.put(None, owner, 100.0)
    assert known.get(b"der", 100.0 + REMEMBERED - 0.1) is owner
    assert known.get(b"der", 100.0 + REMEMBERED) is None
    assert known.get("Bearer ost_", 100.0) is None
    assert known.get(None, 100.0) is None
    for n in range(REMEMBERED_MAX):
        known.put(str(n), owner, 100.0)
    assert known.get(b"der", 100.0) is None
    assert known.get(str(REMEMBERED_MAX - 1), 100.0) is owner


class Stalled:
    """A call whose caller reads nothing: its status would wait behind what it was sent."""

    def __init__(self, unsent: int) -> None:
        self.stream = SimpleNamespace(unsent=unsent)
        self.aborted = ""

    def abort(self, reason: str) -> None:
        self.aborted = reason


@pytest.mark.parametrize("unsent", [0, 5])
async def test_a_caller_that_reads_nothing_is_reset_at_the_end_of_its_token(unsent: int) -> None:
    lease, call = Lease(), Stalled(unsent)

    async def serve() -> None:
        lease.end("was revoked")
        await asyncio.Event().wait()

    with pytest.raises(OpenShellError, match="was revoked"):
        await _until_cut(serve(), cast(Call, call), lease)
    assert bool(call.aborted) == bool(unsent)


async def test_an_error_of_its_own_is_passed_on() -> None:
    async def serve() -> None:
        raise OpenShellError(Code.NOT_FOUND, "nothing")

    call = Stalled(5)
    with pytest.raises(OpenShellError, match="nothing"):
        await _until_cut(serve(), cast(Call, call), Lease())
    assert not call.aborted


def test_paths() -> None:
    assert Rpc(Action.HEALTH).path == "/openshell.v1.OpenShell/Health"
    assert Rpc(Action.LIST_RELAYS, service=EXTENSION).path == "/pyopenshell.v1.Extension/ListRelays"

"""Admission: the order of its questions, and what the switchboard is asked for."""

from __future__ import annotations

import pytest

from pyopenshell.audit.base import Source
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.admission import Admission, credential_tie
from pyopenshell.gateway.door import Caller
from pyopenshell.gateway.trail import Trail
from pyopenshell.model import ExecTarget, FilesTarget, Phase, Principal, Role, SshTarget, Target, TcpTarget
from pyopenshell.relay.limits import ConnectionLimits
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.store.ssh_sessions import SshSessionRecord

ALICE = Principal("alice", Role.USER, credential="7")


class Registry:
    def __init__(self, phase: Phase = Phase.READY) -> None:
        self.phase = phase

    def resolve(self, name: str, workspace: str = "default") -> SandboxRecord:
        if name == "nobody":
            raise OpenShellError(Code.NOT_FOUND, "no such sandbox")
        return SandboxRecord("box", "web", 0.0, phase=self.phase)


class Tokens:
    def __init__(self, registry: Registry, *, granted: int = 0, expires_at: float | None = None) -> None:
        self.registry = registry
        self.granted = granted
        self.expires_at = expires_at
        self.ends_in: Phase | None = None

    async def verify(
        self, token: str, sandbox_id: str, principal: Principal, target: Target, now: float
    ) -> SshSessionRecord:
        if token != "good":
            raise OpenShellError(Code.UNAUTHENTICATED, "bad token")
        if self.ends_in is not None:
            self.registry.phase = self.ends_in
        return SshSessionRecord(
            "hash", sandbox_id, principal.subject, 0.0, expires_at=self.expires_at, max_connections=self.granted
        )


def admission(registry: Registry, tokens: Tokens) -> Admission:
    trail = Trail(None, Source("g", "1", "h"), lambda: 1000.0)  # type: ignore[arg-type]
    return Admission(registry, tokens, ConnectionLimits(), trail)  # type: ignore[arg-type]


async def ask(
    target: Target,
    *,
    name: str = "web",
    token: str | None = "good",
    phase: Phase = Phase.READY,
    principal: Principal = ALICE,
    granted: int = 0,
    expires_at: float | None = None,
    ends_in: Phase | None = None,
) -> object:
    registry = Registry(phase)
    tokens = Tokens(registry, granted=granted, expires_at=expires_at)
    tokens.ends_in = ends_in
    return await admission(registry, tokens).request(
        Caller(principal, None),
        name,
        "default",
        target,
        token,
        50.0,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("target", [SshTarget(), TcpTarget("127.0.0.1", 80)])
async def test_what_a_token_opens_hangs_on_it(target: Target) -> None:
    request = await ask(target, expires_at=1060.0)
    assert (request.sandbox_id, request.sandbox, request.principal) == ("box", "web", "alice")  # type: ignore[attr-defined]
    assert request.ties == (credential_tie("7"), "hash")  # type: ignore[attr-defined]
    assert request.ends_at == 110.0  # type: ignore[attr-defined]
    assert [place.limit for place in request.places] == [3, 20]  # type: ignore[attr-defined]


async def test_a_granted_token_is_counted_apart() -> None:
    request = await ask(SshTarget(), granted=200)
    assert [place.limit for place in request.places] == [200, 1000]  # type: ignore[attr-defined]
    assert request.ends_at is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("target", "session", "caller", "ends"),
    [
        (SshTarget(), 1060.0, 1020.0, 70.0),
        (SshTarget(), 1060.0, 1090.0, 110.0),
        (SshTarget(), None, 1020.0, 70.0),
        (SshTarget(), None, None, None),
        (ExecTarget(), None, 1020.0, 70.0),
    ],
)
async def test_a_relay_ends_with_the_first_of_its_credentials(
    target: Target, session: float | None, caller: float | None, ends: float | None
) -> None:
    principal = Principal("token:1", Role.USER, expires_at=caller)
    request = await ask(target, principal=principal, expires_at=session)
    assert request.ends_at == ends  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("target", "token"),
    [(ExecTarget(), ""), (FilesTarget(), ""), (SshTarget(), None), (TcpTarget("::1", 80), None), (ExecTarget(), None)],
)
async def test_what_goes_by_identity_hangs_on_the_caller(target: Target, token: str | None) -> None:
    request = await ask(target, token=token)
    assert request.ties == (credential_tie("7"),)  # type: ignore[attr-defined]
    assert [place.limit for place in request.places] == [1000]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": "nobody", "principal": Principal("s", Role.SUPERVISOR, sandbox_id="x"), "token": ""}, Code.NOT_FOUND),
        ({"principal": Principal("b", Role.USER, frozenset({"exec"})), "token": ""}, Code.FORBIDDEN),
        ({"principal": Principal("b", Role.USER, frozenset({"exec"})), "token": None}, Code.FORBIDDEN),
        ({"token": "", "phase": Phase.STOPPED}, Code.UNAUTHENTICATED),
        ({"token": None, "phase": Phase.STOPPED}, Code.PRECONDITION),
        ({"phase": Phase.STOPPED}, Code.PRECONDITION),
        ({"ends_in": Phase.STOPPING}, Code.PRECONDITION),
    ],
    ids=["sandbox", "principal", "identity", "token", "phase and identity", "phase", "phase changed meanwhile"],
)
async def test_the_first_no_counts(wrong: dict[str, object], code: Code) -> None:
    with pytest.raises(OpenShellError) as caught:
        await ask(SshTarget(), **wrong)  # type: ignore[arg-type]
    assert caught.value.code is code

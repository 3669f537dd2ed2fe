"""The table door x role x scope, written out once more by hand: a change of policy must change two files."""

from __future__ import annotations

import itertools

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authorize import RULES, Action, Scope, authorize, check_scopes, forward_action
from pyopenshell.model import (
    AcceptTarget,
    ExecTarget,
    FilesTarget,
    ListenTarget,
    PortsTarget,
    Principal,
    Probe,
    ProbeTarget,
    Role,
    SshTarget,
    TcpTarget,
    UdpTarget,
    new_id,
)
from pyopenshell.wire.openshell.v1 import openshell_pb2
from pyopenshell.wire.pyopenshell.v1 import extension_pb2

#: Action -> who may: a = admin, u = user, s = supervisor; then the scopes of which one is needed (none: any will do).
POLICY = {
    "Health": "aush",
    "GetCurrentUser": "aush",
    "GetGatewayInfo": "au",
    "CreateSandbox": "au manage",
    "GetSandbox": "au",
    "ListSandboxes": "au read manage",
    "DeleteSandbox": "au manage",
    "StopSandbox": "au manage",
    "StartSandbox": "au manage",
    "CreateSshSession": "au ssh forward",
    "RevokeSshSession": "au ssh forward",
    "ExecSandbox": "au exec",
    "ExecSandboxInteractive": "au exec",
    "ForwardTcp": "au ssh forward exec files read",
    "forward:ssh": "au ssh",
    "forward:tcp": "au forward",
    "forward:exec": "au exec",
    "forward:files": "au files",
    "forward:udp": "au forward",
    "forward:listen": "au forward",
    "forward:accept": "au forward",
    "forward:probe": "au",
    "forward:ports": "au read forward",
    "ExposeService": "au manage",
    "GetService": "au read manage",
    "ListServices": "au read manage",
    "DeleteService": "au manage",
    "GetSandboxLogs": "au read",
    "WatchSandbox": "au read manage",
    "PushSandboxLogs": "s",
    "ConnectSupervisor": "s",
    "RelayStream": "s",
    "PeerRelay": "",
    "ReportMainProcessExit": "s",
    "FinalizeMainProcessExit": "s",
    "IssueSandboxToken": "s",
    "RefreshSandboxToken": "s",
    "CreateToken": "a",
    "ListTokens": "a",
    "RevokeToken": "a",
    "ListRelays": "au read",
    "GetProcesses": "a",
    "RenewCertificate": "auh",
    "CreateInvitation": "a",
    "ListPrincipals": "a",
    "RevokePrincipal": "a",
    "ServeHost": "h",
    "JoinSandbox": "h",
    "ListHosts": "au read manage",
    "DrainHost": "a",
    "RemoveHost": "a",
    "PruneHost": "a",
}
MINE, OTHER = new_id(), new_id()
ROLES = {"a": Role.ADMIN, "u": Role.USER, "s": Role.SUPERVISOR, "h": Role.HOST}
SCOPES = [frozenset(), *(frozenset({scope.value}) for scope in Scope), frozenset({"read", "exec"})]


def may(principal: Principal, action: Action, sandbox_id: str = "") -> bool:
    try:
        authorize(principal, action, sandbox_id)
    except OpenShellError as error:
        assert error.code is Code.FORBIDDEN
        return False
    return True


def test_the_policy_names_every_action_and_every_rpc_is_one() -> None:
    assert set(POLICY) == {action.value for action in Action}
    services = [
        openshell_pb2.DESCRIPTOR.services_by_name["OpenShell"],
        extension_pb2.DESCRIPTOR.services_by_name["Extension"],
    ]
    rpcs = {method.name for service in services for method in service.methods}
    assert rpcs == {action.value for action in Action if not action.value.startswith("forward:")}


@pytest.mark.parametrize("action", list(Action))
def test_roles_and_scopes(action: Action) -> None:
    letters, _, scopes = POLICY[action.value].partition(" ")
    wanted = set(scopes.split())
    for (letter, role), held in itertools.product(ROLES.items(), SCOPES):
        if role is Role.SUPERVISOR:
            if not held:
                assert may(Principal("s", role, sandbox_id=MINE), action, MINE) is (letter in letters)
            continue
        expected = letter in letters and (not held or not wanted or bool(held & wanted))
        assert may(Principal("p", role, held), action) is expected, (role, held)
        assert may(Principal("p", role, held), action, OTHER) is expected, (role, held)


@pytest.mark.parametrize("action", [Action(name) for name, who in POLICY.items() if "s" in who.split(" ")[0]])
def test_a_supervisor_may_touch_its_own_sandbox_alone(action: Action) -> None:
    supervisor = Principal("s", Role.SUPERVISOR, sandbox_id=MINE)
    assert may(supervisor, action)
    assert may(supervisor, action, MINE)
    assert not may(supervisor, action, OTHER)
    assert not may(supervisor, action, MINE.upper() if MINE.upper() != MINE else MINE + " ")


def test_a_supervisor_without_a_sandbox_may_nothing() -> None:
    for action in Action:
        assert not may(Principal("s", Role.SUPERVISOR), action)
        assert not may(Principal("s", Role.SUPERVISOR), action, MINE)


def test_an_action_without_a_rule_is_nobodys() -> None:
    assert Action.PEER_RELAY not in RULES
    for role in Role:
        assert not may(Principal("p", role, sandbox_id=MINE), Action.PEER_RELAY)


def test_an_unknown_scope_in_the_database_opens_nothing() -> None:
    assert not may(Principal("p", Role.USER, frozenset({"everything"})), Action.EXEC_SANDBOX)


@pytest.mark.parametrize(
    ("target", "action"),
    [
        (SshTarget(), Action.FORWARD_SSH_TARGET),
        (TcpTarget("::1", 1), Action.FORWARD_TCP_TARGET),
        (ExecTarget(), Action.FORWARD_EXEC_TARGET),
        (FilesTarget(), Action.FORWARD_FILES_TARGET),
        (UdpTarget("127.0.0.1", 53), Action.FORWARD_UDP_TARGET),
        (ListenTarget(8000), Action.FORWARD_LISTEN_TARGET),
        (AcceptTarget(new_id()), Action.FORWARD_ACCEPT_TARGET),
        (ProbeTarget(Probe.ECHO), Action.FORWARD_PROBE_TARGET),
        (PortsTarget(), Action.FORWARD_PORTS_TARGET),
    ],
)
def test_each_target_has_its_action(target, action: Action) -> None:
    assert forward_action(target) is action


def test_a_refusal_names_the_scope_that_would_do() -> None:
    with pytest.raises(
        OpenShellError, match=r"the scope exec or files or forward or read or ssh, and yours has manage"
    ) as caught:
        authorize(Principal("p", Role.USER, frozenset({"manage"})), Action.FORWARD_TCP)
    assert "ForwardTcp" not in str(caught.value)
    with pytest.raises(OpenShellError, match=r"scope manage.*'openshell token create NAME --scope manage'"):
        authorize(Principal("p", Role.USER, frozenset({"read", "exec"})), Action.CREATE_SANDBOX)


def test_what_only_the_owner_may_is_told_without_its_rpc() -> None:
    with pytest.raises(OpenShellError, match=r"for the gateway's owner, and an API token cannot"):
        authorize(Principal("p", Role.USER), Action.LIST_TOKENS)
    with pytest.raises(OpenShellError, match="ConnectSupervisor is not allowed"):
        authorize(Principal("p", Role.ADMIN), Action.CONNECT_SUPERVISOR)


def test_scopes_are_checked_by_name() -> None:
    assert check_scopes(["ssh", "exec", "ssh"]) == {"ssh", "exec"}
    assert check_scopes(()) == frozenset()
    for bad in ("", "SSH", "admin", "x" * 500):
        with pytest.raises(OpenShellError, match="does not exist") as caught:
            check_scopes(["ssh", bad])
        assert caught.value.code is Code.INVALID
        assert "exec, files, forward, manage, read, ssh" in caught.value.hint

"""May this principal do this? The one function that every door asks, for every RPC and for every stream that opens.

The table says, for each action, which roles may, and which scope an API token needs for it. What is not in the table is
refused. A supervisor may touch its own sandbox alone; an action on a sandbox is asked again for each sandbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import (
    AcceptTarget,
    ExecTarget,
    FilesTarget,
    ListenTarget,
    PortsTarget,
    Principal,
    ProbeTarget,
    Role,
    SshTarget,
    Target,
    TcpTarget,
    UdpTarget,
)


class Scope(StrEnum):
    """What an API token may be narrowed to; no scope at all means every one."""

    READ = "read"  # see sandboxes, services, logs
    MANAGE = "manage"  # create, start, stop, delete, expose
    EXEC = "exec"  # run commands
    SSH = "ssh"  # SSH sessions
    FORWARD = "forward"  # TCP services
    FILES = "files"  # copy files


class Action(StrEnum):
    """Everything that can be asked: the RPCs by name, and what a ForwardTcp stream opens by target."""

    HEALTH = "Health"
    GET_CURRENT_USER = "GetCurrentUser"
    GET_GATEWAY_INFO = "GetGatewayInfo"
    CREATE_SANDBOX = "CreateSandbox"
    GET_SANDBOX = "GetSandbox"
    LIST_SANDBOXES = "ListSandboxes"
    DELETE_SANDBOX = "DeleteSandbox"
    STOP_SANDBOX = "StopSandbox"
    START_SANDBOX = "StartSandbox"
    CREATE_SSH_SESSION = "CreateSshSession"
    REVOKE_SSH_SESSION = "RevokeSshSession"
    EXEC_SANDBOX = "ExecSandbox"
    EXEC_SANDBOX_INTERACTIVE = "ExecSandboxInteractive"
    FORWARD_TCP = "ForwardTcp"  # the door itself; what the stream opens is asked by `forward_action(target)`
    FORWARD_SSH_TARGET = "forward:ssh"
    FORWARD_TCP_TARGET = "forward:tcp"
    FORWARD_EXEC_TARGET = "forward:exec"
    FORWARD_FILES_TARGET = "forward:files"
    FORWARD_UDP_TARGET = "forward:udp"
    FORWARD_LISTEN_TARGET = "forward:listen"
    FORWARD_ACCEPT_TARGET = "forward:accept"
    FORWARD_PROBE_TARGET = "forward:probe"
    FORWARD_PORTS_TARGET = "forward:ports"
    EXPOSE_SERVICE = "ExposeService"
    GET_SERVICE = "GetService"
    LIST_SERVICES = "ListServices"
    DELETE_SERVICE = "DeleteService"
    GET_SANDBOX_LOGS = "GetSandboxLogs"
    WATCH_SANDBOX = "WatchSandbox"
    PUSH_SANDBOX_LOGS = "PushSandboxLogs"
    CONNECT_SUPERVISOR = "ConnectSupervisor"
    RELAY_STREAM = "RelayStream"
    PEER_RELAY = "PeerRelay"
    REPORT_MAIN_PROCESS_EXIT = "ReportMainProcessExit"
    FINALIZE_MAIN_PROCESS_EXIT = "FinalizeMainProcessExit"
    ISSUE_SANDBOX_TOKEN = "IssueSandboxToken"  # noqa: S105
    REFRESH_SANDBOX_TOKEN = "RefreshSandboxToken"  # noqa: S105
    CREATE_TOKEN = "CreateToken"  # noqa: S105
    LIST_TOKENS = "ListTokens"
    REVOKE_TOKEN = "RevokeToken"  # noqa: S105
    LIST_RELAYS = "ListRelays"
    GET_PROCESSES = "GetProcesses"
    RENEW_CERTIFICATE = "RenewCertificate"
    CREATE_INVITATION = "CreateInvitation"
    LIST_PRINCIPALS = "ListPrincipals"
    REVOKE_PRINCIPAL = "RevokePrincipal"
    SERVE_HOST = "ServeHost"
    JOIN_SANDBOX = "JoinSandbox"
    LIST_HOSTS = "ListHosts"
    DRAIN_HOST = "DrainHost"
    REMOVE_HOST = "RemoveHost"
    PRUNE_HOST = "PruneHost"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may: the roles, and for a principal with scopes one of `scopes` (empty: any scope will do)."""

    roles: frozenset[Role]
    scopes: frozenset[Scope] = frozenset()


_EVERYONE = frozenset(Role)
_PEOPLE = frozenset({Role.ADMIN, Role.USER})
_ADMIN = frozenset({Role.ADMIN})
_SUPERVISOR = frozenset({Role.SUPERVISOR})
_HOST = frozenset({Role.HOST})


def _people(*scopes: Scope) -> Rule:
    return Rule(_PEOPLE, frozenset(scopes))


#: The whole policy.
RULES: dict[Action, Rule] = {
    Action.HEALTH: Rule(_EVERYONE),
    Action.GET_CURRENT_USER: Rule(_EVERYONE),
    Action.GET_GATEWAY_INFO: Rule(_PEOPLE),
    Action.CREATE_SANDBOX: _people(Scope.MANAGE),
    # Whoever may reach into a sandbox may look it up: every command does so first.
    Action.GET_SANDBOX: _people(),
    Action.LIST_SANDBOXES: _people(Scope.READ, Scope.MANAGE),
    Action.DELETE_SANDBOX: _people(Scope.MANAGE),
    Action.STOP_SANDBOX: _people(Scope.MANAGE),
    Action.START_SANDBOX: _people(Scope.MANAGE),
    Action.CREATE_SSH_SESSION: _people(Scope.SSH, Scope.FORWARD),
    Action.REVOKE_SSH_SESSION: _people(Scope.SSH, Scope.FORWARD),
    Action.EXEC_SANDBOX: _people(Scope.EXEC),
    Action.EXEC_SANDBOX_INTERACTIVE: _people(Scope.EXEC),
    Action.FORWARD_TCP: _people(Scope.SSH, Scope.FORWARD, Scope.EXEC, Scope.FILES, Scope.READ),
    Action.FORWARD_SSH_TARGET: _people(Scope.SSH),
    Action.FORWARD_TCP_TARGET: _people(Scope.FORWARD),
    Action.FORWARD_EXEC_TARGET: _people(Scope.EXEC),
    Action.FORWARD_FILES_TARGET: _people(Scope.FILES),
    Action.FORWARD_UDP_TARGET: _people(Scope.FORWARD),
    Action.FORWARD_LISTEN_TARGET: _people(Scope.FORWARD),
    Action.FORWARD_ACCEPT_TARGET: _people(Scope.FORWARD),
    # Measures the way and touches nothing: whoever may reach into a sandbox may ask why it is slow.
    Action.FORWARD_PROBE_TARGET: _people(),
    Action.FORWARD_PORTS_TARGET: _people(Scope.READ, Scope.FORWARD),
    Action.EXPOSE_SERVICE: _people(Scope.MANAGE),
    Action.GET_SERVICE: _people(Scope.READ, Scope.MANAGE),
    Action.LIST_SERVICES: _people(Scope.READ, Scope.MANAGE),
    Action.DELETE_SERVICE: _people(Scope.MANAGE),
    Action.GET_SANDBOX_LOGS: _people(Scope.READ),
    Action.WATCH_SANDBOX: _people(Scope.READ, Scope.MANAGE),
    Action.PUSH_SANDBOX_LOGS: Rule(_SUPERVISOR),
    Action.CONNECT_SUPERVISOR: Rule(_SUPERVISOR),
    Action.RELAY_STREAM: Rule(_SUPERVISOR),
    Action.REPORT_MAIN_PROCESS_EXIT: Rule(_SUPERVISOR),
    Action.FINALIZE_MAIN_PROCESS_EXIT: Rule(_SUPERVISOR),
    Action.ISSUE_SANDBOX_TOKEN: Rule(_SUPERVISOR),
    Action.REFRESH_SANDBOX_TOKEN: Rule(_SUPERVISOR),
    # A token never makes tokens: a stolen one must not outlive its own end.
    Action.CREATE_TOKEN: Rule(_ADMIN),
    Action.LIST_TOKENS: Rule(_ADMIN),
    Action.REVOKE_TOKEN: Rule(_ADMIN),
    Action.LIST_RELAYS: _people(Scope.READ),
    Action.GET_PROCESSES: Rule(_ADMIN),
    # Whoever came with a certificate; the key of the new one has to be that certificate's.
    Action.RENEW_CERTIFICATE: Rule(frozenset({Role.ADMIN, Role.USER, Role.HOST})),
    Action.CREATE_INVITATION: Rule(_ADMIN),
    Action.LIST_PRINCIPALS: Rule(_ADMIN),
    Action.REVOKE_PRINCIPAL: Rule(_ADMIN),
    Action.SERVE_HOST: Rule(_HOST),
    Action.JOIN_SANDBOX: Rule(_HOST),
    Action.LIST_HOSTS: _people(Scope.READ, Scope.MANAGE),
    Action.DRAIN_HOST: Rule(_ADMIN),
    Action.REMOVE_HOST: Rule(_ADMIN),
    Action.PRUNE_HOST: Rule(_ADMIN),
}


def forward_action(target: Target) -> Action:
    """The action that opening a stream to `target` is."""
    return _FORWARD[type(target)]


_FORWARD: dict[type[Target], Action] = {
    SshTarget: Action.FORWARD_SSH_TARGET,
    TcpTarget: Action.FORWARD_TCP_TARGET,
    ExecTarget: Action.FORWARD_EXEC_TARGET,
    FilesTarget: Action.FORWARD_FILES_TARGET,
    UdpTarget: Action.FORWARD_UDP_TARGET,
    ListenTarget: Action.FORWARD_LISTEN_TARGET,
    AcceptTarget: Action.FORWARD_ACCEPT_TARGET,
    ProbeTarget: Action.FORWARD_PROBE_TARGET,
    PortsTarget: Action.FORWARD_PORTS_TARGET,
}


def authorize(principal: Principal, action: Action, sandbox_id: str = "") -> None:
    """Return when `principal` may do `action` (on the sandbox with this id, where there is one); raise FORBIDDEN otherwise.

    The sandbox's id is what the caller resolved, never a field that the peer sent about itself.
    """
    rule = RULES.get(action)
    if rule is None or principal.role not in rule.roles:
        raise _forbidden(principal, action)
    if principal.role is Role.SUPERVISOR:
        if not principal.sandbox_id or (sandbox_id and sandbox_id != principal.sandbox_id):
            raise OpenShellError(
                Code.FORBIDDEN, f"{action.value}: a supervisor may touch its own sandbox alone, and this is another"
            )
        return
    if principal.scopes and rule.scopes and not (principal.scopes & rule.scopes):
        wanted = sorted(rule.scopes)
        raise OpenShellError(
            Code.FORBIDDEN,
            f"this needs a token with the scope {' or '.join(wanted)}, and yours has {', '.join(sorted(principal.scopes))}",
            hint=f"the gateway's owner makes one: 'openshell token create NAME --scope {wanted[0]}'",
        )


def check_scopes(names: Iterable[str]) -> frozenset[str]:
    """`names` as a set when each is a scope; raise INVALID that lists the scopes otherwise."""
    known = frozenset(scope.value for scope in Scope)
    asked = frozenset(names)
    for name in sorted(asked - known):
        raise OpenShellError(
            Code.INVALID, f"scope {name[:80]!r} does not exist", hint=f"scopes are {', '.join(sorted(known))}"
        )
    return asked


def _forbidden(principal: Principal, action: Action) -> OpenShellError:
    rule = RULES.get(action)
    if rule is not None and principal.role is Role.USER and Role.ADMIN in rule.roles:
        return OpenShellError(
            Code.FORBIDDEN,
            "this is for the gateway's owner, and an API token cannot do it",
            hint="leave OPENSHELL_TOKEN and --token-file out where you own the gateway",
        )
    return OpenShellError(
        Code.FORBIDDEN, f"{action.value} is not allowed for a principal of role {principal.role.value}"
    )

"""Audit events as OCSF 1.3 objects (https://schema.ocsf.io/1.3.0): pure functions from facts to a dict.

| what | class |
|---|---|
| supervisor sessions, relays | Network Activity 4001 |
| relays to `ssh`, beside 4001 | SSH Activity 4007 |
| commands | Process Activity 1007 |
| sandboxes, API tokens, SSH sessions made and ended | Entity Management 3004 |
| callers who were refused | Authentication 3002 |
| events that were lost | Base Event 0 |

`type_uid` is class * 100 + activity everywhere. Times are seconds since the epoch here, milliseconds there. `src_endpoint`
is the near side and `bytes_out` what it sent (near to far). No secret can get in: builders take ids, never tokens, and every
text is cleaned of control characters and of what looks like a secret.

This file has the relays and gives out all builders; sessions.py, processes.py and entities.py have the others.
"""

from __future__ import annotations

from typing import Any

from pyopenshell.audit.base import (
    Activity,
    Class,
    Event,
    Relay,
    Severity,
    Source,
    Status,
    actor,
    endpoint,
    event,
    span,
    text,
)
from pyopenshell.audit.entities import (
    caller_refused,
    events_lost,
    sandbox_created,
    sandbox_deleted,
    ssh_session_created,
    ssh_session_revoked,
    token_created,
    token_revoked,
)
from pyopenshell.audit.processes import exec_ended, exec_started
from pyopenshell.audit.sessions import session_closed, session_opened, session_refused
from pyopenshell.errors import Code
from pyopenshell.model import Outcome, SshTarget, TcpTarget

__all__ = [
    "Event",
    "Relay",
    "Source",
    "caller_refused",
    "events_lost",
    "exec_ended",
    "exec_started",
    "relay_closed",
    "relay_opened",
    "relay_refused",
    "sandbox_created",
    "sandbox_deleted",
    "session_closed",
    "session_opened",
    "session_refused",
    "ssh_session_created",
    "ssh_session_revoked",
    "token_created",
    "token_revoked",
]

#: Refusals that a rule made; any other code is a failure.
_DENIED = frozenset(
    {Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.EXHAUSTED, Code.INVALID, Code.PRECONDITION, Code.NOT_FOUND}
)

#: How the end of a relay is told: activity, status, severity.
_ENDS: dict[Outcome, tuple[Activity, Status, Severity]] = {
    Outcome.COMPLETED: (Activity.CLOSE, Status.SUCCESS, Severity.INFORMATIONAL),
    Outcome.REFUSED: (Activity.REFUSE, Status.FAILURE, Severity.MEDIUM),
    Outcome.TIMED_OUT: (Activity.FAIL, Status.FAILURE, Severity.LOW),
    Outcome.TARGET_FAILED: (Activity.FAIL, Status.FAILURE, Severity.LOW),
    Outcome.BROKEN_NEAR: (Activity.RESET, Status.FAILURE, Severity.LOW),
    Outcome.BROKEN_FAR: (Activity.RESET, Status.FAILURE, Severity.LOW),
    Outcome.REVOKED: (Activity.CLOSE, Status.SUCCESS, Severity.LOW),
}


def relay_opened(source: Source, now: float, relay: Relay) -> list[Event]:
    """A relay was claimed: bytes may flow. 4001 Open, and 4007 Open for an ssh target."""
    return _relay(
        source, now, relay, Activity.OPEN, Status.SUCCESS, Severity.INFORMATIONAL, f"relay to {relay.target} opened"
    )


def relay_refused(source: Source, now: float, relay: Relay, code: Code, reason: str) -> list[Event]:
    """A relay was not opened: by a rule (4001 Refuse, denied) or because it could not be (4001 Fail), told by `code`."""
    denied = code in _DENIED
    return _relay(
        source,
        now,
        relay,
        Activity.REFUSE if denied else Activity.FAIL,
        Status.FAILURE,
        Severity.MEDIUM if denied else Severity.LOW,
        f"relay to {relay.target} {'refused' if denied else 'failed'}",
        status_code=code.value,
        status_detail=text(reason),
        action_id=2 if denied else 1,  # security_control profile: 1 Allowed, 2 Denied
        disposition_id=2 if denied else 1,  # 1 Allowed, 2 Blocked
    )


def relay_closed(
    source: Source,
    now: float,
    relay: Relay,
    outcome: Outcome,
    *,
    opened_at: float,
    bytes_far: int,
    bytes_near: int,
    reason: str = "",
) -> list[Event]:
    """A relay has ended: 4001 Close (Reset where it broke, Fail where nothing flowed) with the bytes of both directions."""
    activity, status, severity = _ENDS[outcome]
    return _relay(
        source,
        now,
        relay,
        activity,
        status,
        severity,
        f"relay to {relay.target} ended: {outcome.value}, {bytes_far} bytes far, {bytes_near} bytes near",
        **span(opened_at, now),
        status_code=outcome.value,
        status_detail=text(reason),
        traffic={"bytes": bytes_far + bytes_near, "bytes_out": bytes_far, "bytes_in": bytes_near},
    )


def _relay(
    source: Source,
    now: float,
    relay: Relay,
    activity: Activity,
    status: Status,
    severity: Severity,
    message: str,
    **fields: Any,
) -> list[Event]:
    facts = {
        **fields,
        "actor": actor(relay.principal),
        "src_endpoint": endpoint(relay.address),
        "dst_endpoint": _target(relay),
        "connection_info": {
            "uid": text(relay.channel_id),
            "direction_id": 1,  # Inbound, as the sandbox sees it
            "protocol_name": "tcp",
        },
    }
    made = [event(source, now, Class.NETWORK, activity, status, severity, f"{message} ({relay.sandbox})", facts)]
    if isinstance(relay.target, SshTarget):
        made.append(event(source, now, Class.SSH, activity, status, severity, f"{message} ({relay.sandbox})", facts))
    return made


def _target(relay: Relay) -> dict[str, Any]:
    found: dict[str, Any] = {
        "uid": text(relay.sandbox_id),
        "name": text(relay.sandbox),
        "svc_name": text(str(relay.target)),
    }
    if isinstance(relay.target, TcpTarget):
        found |= {"ip": relay.target.host, "port": relay.target.port}
    return found

"""Entity Management 3004, Authentication 3002 and lost events: what was made or ended, and who was not let in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyopenshell.audit.base import Activity, Class, Event, Severity, Source, Status, actor, endpoint, event, text
from pyopenshell.errors import Code
from pyopenshell.model import Principal, Role


def token_created(
    source: Source, now: float, principal: Principal, token_id: str, name: str, scopes: Sequence[str]
) -> Event:
    """An API token was made: 3004 Create."""
    return _entity(source, now, principal, Activity.CREATE, "API token", token_id, name, {"scopes": sorted(scopes)})


def token_revoked(source: Source, now: float, principal: Principal, token_id: str, name: str) -> Event:
    """An API token was revoked: 3004 Delete."""
    return _entity(source, now, principal, Activity.DELETE, "API token", token_id, name)


def ssh_session_created(source: Source, now: float, principal: Principal, session_id: str, sandbox_id: str) -> Event:
    """A token of ForwardTcp was made: 3004 Create. `session_id` is the first 16 digits of its hash, not the token."""
    return _entity(
        source, now, principal, Activity.CREATE, "SSH session", session_id, "", {"sandbox": text(sandbox_id)}
    )


def ssh_session_revoked(source: Source, now: float, principal: Principal, session_id: str, sandbox_id: str) -> Event:
    """A token of ForwardTcp was revoked: 3004 Delete."""
    return _entity(
        source, now, principal, Activity.DELETE, "SSH session", session_id, "", {"sandbox": text(sandbox_id)}
    )


def sandbox_created(source: Source, now: float, principal: Principal, sandbox_id: str, sandbox: str) -> Event:
    """A sandbox was created: 3004 Create."""
    return _entity(source, now, principal, Activity.CREATE, "sandbox", sandbox_id, sandbox)


def sandbox_deleted(source: Source, now: float, principal: Principal, sandbox_id: str, sandbox: str) -> Event:
    """A sandbox was deleted: 3004 Delete."""
    return _entity(source, now, principal, Activity.DELETE, "sandbox", sandbox_id, sandbox)


def invitation_created(
    source: Source, now: float, principal: Principal, role: str, name: str, scopes: Sequence[str]
) -> Event:
    """An invitation was made: 3004 Create. `name` empty: whoever comes chooses. The code is not told."""
    data = {"role": role, "scopes": sorted(scopes)}
    return _entity(source, now, principal, Activity.CREATE, "invitation", name or role, name, data)


def principal_enrolled(
    source: Source, now: float, role: str, name: str, uid: str, invited_by: str, address: str
) -> Event:
    """Somebody came by an invitation: 3004 Create, done by whoever came."""
    came = Principal(f"{role}:{name}", Role.HOST if role == Role.HOST else Role.USER)
    data = {"invited_by": text(invited_by), "src_endpoint": endpoint(address)}
    return _entity(source, now, came, Activity.CREATE, role, uid, name, data)


def principal_revoked(source: Source, now: float, principal: Principal, role: str, name: str, uid: str) -> Event:
    """A principal was revoked, or (`uid` empty) an invitation taken back: 3004 Delete."""
    kind = role if uid else "invitation"
    return _entity(source, now, principal, Activity.DELETE, kind, uid or name, name)


def certificate_renewed(source: Source, now: float, principal: Principal, address: str) -> Event:
    """A certificate was renewed by its bearer: 3004 Create."""
    data = {"src_endpoint": endpoint(address)}
    uid = principal.credential or principal.subject
    return _entity(source, now, principal, Activity.CREATE, "certificate", uid, principal.subject, data)


def caller_refused(source: Source, now: float, rpc: str, code: Code, reason: str, address: str = "") -> Event:
    """Somebody could not say who they are (UNAUTHENTICATED) or may not (FORBIDDEN): 3002 Logon, failure.

    The caller's name is not told: one who could not prove it has none.
    """
    return event(
        source,
        now,
        Class.AUTHENTICATION,
        Activity.LOGON,
        Status.FAILURE,
        Severity.MEDIUM,
        f"caller of {rpc} refused: {code.value}",
        {
            "user": {"name": "unknown", "type_id": 0},
            "service": {"name": text(rpc)},
            "src_endpoint": endpoint(address),
            "status_code": code.value,
            "status_detail": text(reason),
        },
    )


def events_lost(source: Source, now: float, count: int) -> Event:
    """`count` events were lost before this one: Base Event 0."""
    return event(
        source,
        now,
        Class.BASE,
        Activity.OTHER,
        Status.FAILURE,
        Severity.HIGH,
        f"{count} audit events before this one were lost",
        {"count": count},
    )


def _entity(
    source: Source,
    now: float,
    principal: Principal,
    activity: Activity,
    kind: str,
    uid: str,
    name: str,
    data: dict[str, Any] | None = None,
) -> Event:
    entity: dict[str, Any] = {"type": kind, "uid": text(uid), "name": text(name or uid)}
    if data:
        entity["data"] = data
    done = "created" if activity is Activity.CREATE else "ended"
    return event(
        source,
        now,
        Class.ENTITY,
        activity,
        Status.SUCCESS,
        Severity.INFORMATIONAL,
        f"{kind} {name or uid} {done}",
        {"actor": actor(principal), "entity": entity},
    )

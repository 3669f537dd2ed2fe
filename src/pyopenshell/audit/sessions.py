"""Network Activity 4001 for control streams, a supervisor's (of its sandbox) or a host's: accepted, refused, ended."""

from __future__ import annotations

from typing import Any

from pyopenshell.audit.base import Activity, Class, Event, Severity, Source, Status, endpoint, event, span, text

#: Whose control stream it is.
SUPERVISOR, HOST = "supervisor session", "host session"


def session_opened(
    source: Source, now: float, uid: str, name: str, session_id: str, address: str = "", *, kind: str = SUPERVISOR
) -> Event:
    """A control stream was accepted: 4001 Open. `uid` and `name` are the sandbox's, or the host's."""
    return _session(
        source, now, kind, uid, name, address, Activity.OPEN, Status.SUCCESS, "opened", session_id=session_id
    )


def session_refused(
    source: Source, now: float, uid: str, reason: str, address: str = "", *, name: str = "", kind: str = SUPERVISOR
) -> Event:
    """A control stream was refused: 4001 Refuse."""
    return _session(
        source,
        now,
        kind,
        uid,
        name,
        address,
        Activity.REFUSE,
        Status.FAILURE,
        "refused",
        status_detail=text(reason),
        action_id=2,
        disposition_id=2,
    )


def session_closed(
    source: Source,
    now: float,
    uid: str,
    name: str,
    session_id: str,
    *,
    opened_at: float,
    reason: str,
    address: str = "",
    kind: str = SUPERVISOR,
) -> Event:
    """A control stream has ended (lost, superseded, drained): 4001 Close."""
    return _session(
        source,
        now,
        kind,
        uid,
        name,
        address,
        Activity.CLOSE,
        Status.SUCCESS,
        "closed",
        session_id=session_id,
        status_detail=text(reason),
        **span(opened_at, now),
    )


def _session(
    source: Source,
    now: float,
    kind: str,
    uid: str,
    name: str,
    address: str,
    activity: Activity,
    status: Status,
    what: str,
    *,
    session_id: str = "",
    **fields: Any,
) -> Event:
    severity = Severity.INFORMATIONAL if status is Status.SUCCESS else Severity.MEDIUM
    return event(
        source,
        now,
        Class.NETWORK,
        activity,
        status,
        severity,
        f"{kind} {what} ({name or uid})",
        {
            **fields,
            "src_endpoint": {**endpoint(address), "uid": text(uid), "name": text(name)},
            "dst_endpoint": {"name": text(source.gateway), "svc_name": kind},
            "connection_info": {"uid": text(session_id), "direction_id": 1, "protocol_name": "tcp"},
        },
    )

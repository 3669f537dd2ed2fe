"""Network Activity 4001 for supervisor sessions: a control stream was accepted, was refused, has ended."""

from __future__ import annotations

from typing import Any

from pyopenshell.audit.base import Activity, Class, Event, Severity, Source, Status, endpoint, event, span, text


def session_opened(
    source: Source, now: float, sandbox_id: str, sandbox: str, session_id: str, address: str = ""
) -> Event:
    """A supervisor's control stream was accepted: 4001 Open."""
    return _session(
        source, now, sandbox_id, sandbox, address, Activity.OPEN, Status.SUCCESS, "opened", session_id=session_id
    )


def session_refused(source: Source, now: float, sandbox_id: str, reason: str, address: str = "") -> Event:
    """A supervisor's control stream was refused: 4001 Refuse."""
    return _session(
        source,
        now,
        sandbox_id,
        "",
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
    sandbox_id: str,
    sandbox: str,
    session_id: str,
    *,
    opened_at: float,
    reason: str,
    address: str = "",
) -> Event:
    """A supervisor's control stream has ended (lost, superseded, drained): 4001 Close."""
    return _session(
        source,
        now,
        sandbox_id,
        sandbox,
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
    sandbox_id: str,
    sandbox: str,
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
        f"supervisor session {what} ({sandbox or sandbox_id})",
        {
            **fields,
            "src_endpoint": {**endpoint(address), "uid": text(sandbox_id), "name": text(sandbox)},
            "dst_endpoint": {"name": text(source.gateway), "svc_name": "supervisor session"},
            "connection_info": {"uid": text(session_id), "direction_id": 1, "protocol_name": "tcp"},
        },
    )

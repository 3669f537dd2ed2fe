"""What every OCSF event has in common: the ids of classes and activities, the envelope, who acts, where from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from pyopenshell.model import Principal, Role, Target
from pyopenshell.text import clean, redact

Event = dict[str, Any]

OCSF_VERSION = "1.3.0"
PRODUCT = "openshell-gateway"
VENDOR = "pyopenshell"
TEXT_MAX = 1024  # characters of one text in an event


class Class(Enum):
    """(class_uid, class_name, category_uid, category_name) of the classes that are used."""

    BASE = (0, "Base Event", 0, "Uncategorized")
    PROCESS = (1007, "Process Activity", 1, "System Activity")
    AUTHENTICATION = (3002, "Authentication", 3, "Identity & Access Management")
    ENTITY = (3004, "Entity Management", 3, "Identity & Access Management")
    NETWORK = (4001, "Network Activity", 4, "Network Activity")
    SSH = (4007, "SSH Activity", 4, "Network Activity")


class Activity(Enum):
    """(activity_id, activity_name); the ids count anew in each family of classes."""

    OPEN = (1, "Open")  # 4001, 4007
    CLOSE = (2, "Close")
    RESET = (3, "Reset")
    FAIL = (4, "Fail")
    REFUSE = (5, "Refuse")
    LAUNCH = (1, "Launch")  # 1007
    TERMINATE = (2, "Terminate")
    CREATE = (1, "Create")  # 3004
    DELETE = (4, "Delete")
    LOGON = (1, "Logon")  # 3002
    OTHER = (99, "Other")


class Status(IntEnum):
    """`status_id`."""

    SUCCESS = 1
    FAILURE = 2


class Severity(IntEnum):
    """`severity_id`."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


@dataclass(frozen=True, slots=True)
class Source:
    """What every event of one gateway says about its maker."""

    gateway: str
    version: str
    host: str


@dataclass(frozen=True, slots=True)
class Relay:
    """The relay that an event is about. `address` is the caller's, as text ("127.0.0.1:4711", "unix")."""

    channel_id: str
    sandbox_id: str
    sandbox: str
    target: Target
    principal: Principal
    address: str = ""


def text(value: str) -> str:
    """`value` fit for an event: cut, without control characters, without what looks like a secret."""
    return clean(redact(value[:TEXT_MAX])) + ("…" if len(value) > TEXT_MAX else "")


def actor(principal: Principal) -> dict[str, Any]:
    """The `actor` that a principal is."""
    kind = 3 if principal.role is Role.SUPERVISOR else 2 if principal.role is Role.ADMIN else 1
    user: dict[str, Any] = {
        "uid": text(principal.subject),
        "name": text(principal.subject),
        "type_id": kind,  # 1 User, 2 Admin, 3 System
        "groups": [{"name": principal.role.value}],
    }
    return {"user": user, "session": {"issuer": text(principal.provider)}}


def endpoint(address: str) -> dict[str, Any]:
    """The endpoint that an address of a peer is: `host:port`, `[v6]:port`, or any other text as a name."""
    host, colon, port = address.rpartition(":")
    if colon and port.isascii() and port.isdigit() and int(port) < 65536 and host:
        return {"ip": text(host.strip("[]")), "port": int(port)}
    return {"name": text(address or "unknown")}


def span(start: float, end: float) -> dict[str, int]:
    """The fields that say from when to when; `duration` in milliseconds, never negative though the clock be set back."""
    return {"start_time": int(start * 1000), "end_time": int(end * 1000), "duration": max(0, int((end - start) * 1000))}


def event(
    source: Source,
    now: float,
    kind: Class,
    activity: Activity,
    status: Status,
    severity: Severity,
    message: str,
    facts: Mapping[str, Any],
) -> Event:
    """The whole event: envelope and `facts`, of which empty texts are left out."""
    class_uid, class_name, category_uid, category_name = kind.value
    activity_id, activity_name = activity.value
    profiles = ["host"] if "actor" in facts and class_uid in (4001, 4007) else []
    if "action_id" in facts:
        profiles.append("security_control")
    return {
        "time": int(now * 1000),
        "class_uid": class_uid,
        "class_name": class_name,
        "category_uid": category_uid,
        "category_name": category_name,
        "activity_id": activity_id,
        "activity_name": activity_name,
        "type_uid": class_uid * 100 + activity_id,
        "type_name": f"{class_name}: {activity_name}",
        "severity_id": int(severity),
        "severity": severity.name.capitalize(),
        "status_id": int(status),
        "status": status.name.capitalize(),
        "message": text(message),
        **{name: value for name, value in facts.items() if value != ""},
        "metadata": {
            "version": OCSF_VERSION,
            "profiles": profiles,
            "product": {"name": PRODUCT, "vendor_name": VENDOR, "version": source.version},
            "log_provider": text(source.gateway),
            "logged_time": int(now * 1000),
            "uid": text(source.host),
        },
    }

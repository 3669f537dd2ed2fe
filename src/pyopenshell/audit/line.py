"""An audit event as one line for people: time, class and activity, status, message, who, from where, why.

`2026-11-23T15:00:00.123Z NETWORK:OPEN success relay to tcp 127.0.0.1:80 opened (web) by=alice from=127.0.0.1:4711 id=3f…`
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pyopenshell.audit.base import Event

_CLASSES = {0: "BASE", 1007: "PROCESS", 3002: "AUTH", 3004: "ENTITY", 4001: "NETWORK", 4007: "SSH"}


def as_line(event: Event) -> str:
    """The line of `event`, without a line feed. Every text in an event is already clean."""
    seconds, milliseconds = divmod(int(event["time"]), 1000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    words = [
        f"{stamp}.{milliseconds:03d}Z",
        f"{_CLASSES.get(event['class_uid'], event['class_uid'])}:{str(event['activity_name']).upper()}",
        str(event["status"]).lower(),
        str(event["message"]),
    ]
    for name, path in _DETAILS:
        found = _follow(event, path)
        if found not in (None, ""):
            words.append(f"{name}={_quoted(str(found))}")
    return " ".join(words)


#: What is shown behind the message, and where it is in an event.
_DETAILS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("by", ("actor", "user", "name")),
    ("from", ("src_endpoint", "ip")),
    ("from", ("src_endpoint", "name")),
    ("id", ("connection_info", "uid")),
    ("cmd", ("process", "cmd_line")),
    ("code", ("status_code",)),
    ("why", ("status_detail",)),
    ("ms", ("duration",)),
)


def _follow(event: Mapping[str, Any], path: tuple[str, ...]) -> object:
    found: Any = event
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def _quoted(text: str) -> str:
    if text and not any(letter in text for letter in " \"'=\\"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

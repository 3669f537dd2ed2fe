"""Process Activity 1007: a command was asked for on an exec relay, a command has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyopenshell.audit.base import Activity, Class, Event, Relay, Severity, Source, Status, actor, event, text

COMMAND_MAX = 1024  # characters of a command line in an event; the whole argv may be 1 MiB


def exec_started(
    source: Source, now: float, relay: Relay, argv: Sequence[str], *, workdir: str = "", tty: bool = False
) -> Event:
    """A command was asked for on an exec relay: 1007 Launch. The environment is not told at all."""
    return _process(
        source, now, relay, argv, Activity.LAUNCH, Status.SUCCESS, "started", workdir=text(workdir), tty=tty
    )


def exec_ended(
    source: Source, now: float, relay: Relay, argv: Sequence[str], exit_code: int, *, reason: str = ""
) -> Event:
    """A command has ended: 1007 Terminate, success whatever its exit code; a `reason` says that it never ran."""
    status = Status.FAILURE if reason else Status.SUCCESS
    what = f"ended with {exit_code}"
    return _process(
        source, now, relay, argv, Activity.TERMINATE, status, what, exit_code=exit_code, status_detail=text(reason)
    )


def _process(
    source: Source,
    now: float,
    relay: Relay,
    argv: Sequence[str],
    activity: Activity,
    status: Status,
    what: str,
    *,
    workdir: str = "",
    tty: bool = False,
    **fields: Any,
) -> Event:
    name = text(argv[0] if argv else "")
    return event(
        source,
        now,
        Class.PROCESS,
        activity,
        status,
        Severity.INFORMATIONAL,
        f"command {name} {what} ({relay.sandbox})",
        {
            **fields,
            "actor": actor(relay.principal),
            "device": {"type_id": 6, "uid": text(relay.sandbox_id), "name": text(relay.sandbox)},  # 6 Virtual
            "process": {"name": name, "cmd_line": text(" ".join(brief(argv))), "uid": text(relay.channel_id)},
            "unmapped": {"relay": text(relay.channel_id), "working_directory": workdir, "terminal": tty},
        },
    )


def brief(argv: Sequence[str]) -> tuple[str, ...]:
    """As much of `argv` as an event shows: what to keep of it until the command has ended. It may be 1 MiB."""
    words: list[str] = []
    room = COMMAND_MAX
    for word in argv:
        words.append(word[:room])
        room -= len(word) + 1
        if room <= 0:
            words.append("…")
            break
    return tuple(words)

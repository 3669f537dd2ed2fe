"""The phases of a sandbox as one table: what may happen in each, and where it leads.

An event that a phase does not list is refused when a person asked for it (`next_phase` raises PRECONDITION that names the
phase and, where there is one, the exit code), and ignored when a process reported it.
"""

from __future__ import annotations

from enum import StrEnum

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Phase
from pyopenshell.store.sandboxes import SandboxRecord


class Event(StrEnum):
    """What happens to a sandbox."""

    UP = "is up"  # it runs and its supervisor said hello
    FAIL = "fail"  # it could not be started, or ended by itself
    LOSE = "lose"  # its supervisor stayed away for the grace
    SUCCEED = "succeed"  # its main process ended with 0
    STOP = "be stopped"
    STOPPED = "has stopped"
    START = "be started"
    DELETE = "be deleted"


_P = Phase
_E = Event
_AT_REST = {_E.START: _P.STARTING, _E.STOP: _P.STOPPING, _E.DELETE: _P.DELETING}
_COMING_UP = {_E.UP: _P.READY, _E.FAIL: _P.ERROR, _E.STOP: _P.STOPPING, _E.DELETE: _P.DELETING}

TRANSITIONS: dict[Phase, dict[Event, Phase]] = {
    _P.PROVISIONING: _COMING_UP,
    _P.STARTING: _COMING_UP,
    _P.READY: {
        _E.UP: _P.READY,
        _E.FAIL: _P.ERROR,
        _E.LOSE: _P.UNKNOWN,
        _E.SUCCEED: _P.COMPLETED,
        _E.STOP: _P.STOPPING,
        _E.DELETE: _P.DELETING,
    },
    _P.UNKNOWN: {
        _E.UP: _P.READY,
        _E.LOSE: _P.UNKNOWN,
        _E.FAIL: _P.ERROR,
        _E.SUCCEED: _P.COMPLETED,
        _E.STOP: _P.STOPPING,
        _E.DELETE: _P.DELETING,
    },
    _P.STOPPING: {_E.STOPPED: _P.STOPPED, _E.STOP: _P.STOPPING, _E.DELETE: _P.DELETING},
    _P.STOPPED: {**_AT_REST, _E.STOP: _P.STOPPED},
    _P.ERROR: _AT_REST,
    _P.COMPLETED: _AT_REST,
    _P.DELETING: {_E.DELETE: _P.DELETING},
    _P.UNSPECIFIED: {},
}

#: A sandbox in one of these changes no more unless somebody asks for it.
AT_REST = frozenset({_P.ERROR, _P.COMPLETED, _P.STOPPED})
#: A relay may be opened: READY, and UNKNOWN so that the answer is UNAVAILABLE and says that the supervisor is away.
OPEN = frozenset({_P.READY, _P.UNKNOWN})


def allowed(phase: Phase, event: Event) -> bool:
    """Whether `event` can happen in `phase`."""
    return event in TRANSITIONS[phase]


def next_phase(record: SandboxRecord, event: Event) -> Phase:
    """Where `event` leads. Raises PRECONDITION where it cannot happen."""
    phase = TRANSITIONS[record.phase].get(event)
    if phase is None:
        raise OpenShellError(
            Code.PRECONDITION, f"sandbox '{record.name}' cannot {event.value}: it is {describe(record)}"
        )
    return phase


def check_open(record: SandboxRecord) -> None:
    """Raise PRECONDITION, naming phase and exit code, unless a relay into this sandbox may be opened."""
    if record.phase in OPEN:
        return
    hint = {
        _P.PROVISIONING: "wait until it is ready",
        _P.STARTING: "wait until it is ready",
        _P.DELETING: "",
        _P.STOPPING: "",
    }.get(record.phase, f"openshell sandbox start {record.name}")
    raise OpenShellError(
        Code.PRECONDITION, f"sandbox '{record.name}' is not ready: it is {describe(record)}", hint=hint
    )


def describe(record: SandboxRecord) -> str:
    """Phase, exit code and reason in one phrase: `in phase Error (exit code 3: ...)`."""
    details = [f"exit code {record.exit_code}"] if record.exit_code is not None else []
    if record.reason and record.phase is _P.ERROR:
        details.append(record.reason)
    return f"in phase {record.phase.label}{' (' + ': '.join(details) + ')' if details else ''}"

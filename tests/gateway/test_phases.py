"""The table of phases, and what people are told of it."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.phases import AT_REST, OPEN, TRANSITIONS, Event, allowed, check_open, describe, next_phase
from pyopenshell.model import Phase
from pyopenshell.store.sandboxes import SandboxRecord


def record(phase: Phase, **fields: object) -> SandboxRecord:
    return SandboxRecord(id="i", name="web", created_at=0.0, phase=phase, **fields)  # type: ignore[arg-type]


def test_every_phase_has_a_row() -> None:
    assert set(TRANSITIONS) == set(Phase)


def test_every_sandbox_can_be_deleted_and_nothing_leaves_deleting() -> None:
    for phase in set(Phase) - {Phase.UNSPECIFIED}:
        assert TRANSITIONS[phase][Event.DELETE] is Phase.DELETING
    assert set(TRANSITIONS[Phase.DELETING].values()) == {Phase.DELETING}


def test_what_is_at_rest_moves_only_when_it_is_asked_to() -> None:
    for phase in AT_REST:
        assert set(TRANSITIONS[phase]) == {Event.START, Event.STOP, Event.DELETE}


def test_a_supervisor_brings_up_what_should_run_and_nothing_else() -> None:
    up = {phase for phase in Phase if allowed(phase, Event.UP)}
    assert up == {Phase.PROVISIONING, Phase.STARTING, Phase.READY, Phase.UNKNOWN}


@pytest.mark.parametrize(("phase", "event"), [(p, e) for p in Phase for e in Event if e not in TRANSITIONS[p]])
def test_what_is_not_in_the_table_is_refused_and_named(phase: Phase, event: Event) -> None:
    with pytest.raises(OpenShellError) as caught:
        next_phase(record(phase), event)
    assert caught.value.code is Code.PRECONDITION
    assert phase.label in caught.value.message
    assert "'web'" in caught.value.message


def test_what_is_in_it_leads_on() -> None:
    assert next_phase(record(Phase.STOPPED), Event.START) is Phase.STARTING


@pytest.mark.parametrize("phase", list(Phase))
def test_relays_into_what_is_open_alone(phase: Phase) -> None:
    if phase in OPEN:
        check_open(record(phase))
        return
    with pytest.raises(OpenShellError) as caught:
        check_open(record(phase))
    assert caught.value.code is Code.PRECONDITION
    assert phase.label in caught.value.message


def test_description_names_phase_code_and_reason() -> None:
    assert describe(record(Phase.READY)) == "in phase Ready"
    assert describe(record(Phase.COMPLETED, exit_code=0)) == "in phase Completed (exit code 0)"
    assert describe(record(Phase.ERROR, exit_code=3, reason="it ended")) == "in phase Error (exit code 3: it ended)"

"""Outcomes: the table is whole, and errors say the sandbox, the hop and the reason."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code
from pyopenshell.model import Outcome
from pyopenshell.relay.outcomes import VERDICTS, Cause, error_for


def test_every_cause_has_a_verdict_and_every_outcome_a_cause() -> None:
    assert set(VERDICTS) == set(Cause)
    assert {verdict.outcome for verdict in VERDICTS.values()} == set(Outcome)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.BOTH_ENDED])
def test_every_failure_has_a_code_and_words(cause: Cause) -> None:
    error = error_for(cause, "web", "connection refused")
    assert error.code is VERDICTS[cause].code
    assert "'web'" in error.message
    assert error.message.endswith(": connection refused")


def test_without_detail_there_is_no_colon_at_the_end() -> None:
    assert error_for(Cause.UNCLAIMED, "web").message.endswith("in time")


def test_a_code_from_further_on_counts() -> None:
    assert error_for(Cause.TARGET, "web", "too many", Code.EXHAUSTED).code is Code.EXHAUSTED


def test_completed_is_no_error() -> None:
    assert VERDICTS[Cause.BOTH_ENDED].code is None
    with pytest.raises(ValueError, match="not an error"):
        error_for(Cause.BOTH_ENDED, "web")


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (Cause.TARGET, Code.UNAVAILABLE),
        (Cause.NO_SUPERVISOR, Code.UNAVAILABLE),
        (Cause.UNCLAIMED, Code.DEADLINE),
        (Cause.REVOKED, Code.UNAUTHENTICATED),
    ],
)
def test_codes_of_the_contract(cause: Cause, code: Code) -> None:
    assert VERDICTS[cause].code is code

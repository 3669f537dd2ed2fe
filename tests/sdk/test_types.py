"""Records made of messages: absent fields, times out of range, phases of the future."""

from __future__ import annotations

from datetime import UTC, datetime

from pyopenshell.model import Phase
from pyopenshell.sdk.types import Sandbox, Token, phase_of, reason_of, watch_event
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext


def test_an_empty_sandbox() -> None:
    found = Sandbox.of(pb.Sandbox())
    assert (found.name, found.phase, found.exit_code, found.created) == ("", Phase.UNSPECIFIED, None, None)


def test_an_exit_code_of_zero_is_one() -> None:
    assert Sandbox.of(pb.Sandbox(status=pb.SandboxStatus(exit_code=0))).exit_code == 0


def test_times() -> None:
    message = pb.Sandbox()
    message.metadata.created_time.FromSeconds(1_700_000_000)
    assert Sandbox.of(message).created == datetime.fromtimestamp(1_700_000_000, UTC)
    message.metadata.created_time.seconds = 2**62
    assert Sandbox.of(message).created is None


def test_a_phase_of_a_newer_gateway() -> None:
    assert phase_of(99) is Phase.UNKNOWN
    assert phase_of(2) is Phase.READY


def test_the_latest_condition_with_words_is_the_reason() -> None:
    status = pb.SandboxStatus()
    assert reason_of(status) == ""
    for second, words in ((2, "later"), (1, "earlier"), (3, "")):
        status.conditions.add(message=words).transition_time.FromSeconds(second)
    assert reason_of(status) == "later"


def test_an_event_of_an_unknown_kind_is_none() -> None:
    assert watch_event(pb.SandboxStreamEvent(cursor="7")) is None


def test_a_token_never_ends_where_no_time_is_told() -> None:
    assert Token.of(ext.Token(id="1")).expires is None

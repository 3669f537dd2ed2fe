"""Limits: exact at limit - 1, limit, limit + 1; all places or none."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.relay.limits import (
    ConnectionLimits,
    Counters,
    Place,
    places_for,
)


@pytest.mark.parametrize("limit", [1, 3, 20])
def test_counts_exactly(limit: int) -> None:
    counters = Counters()
    places = (Place("token t", limit, "this session's token"),)
    for _ in range(limit):
        counters.take(places)
    with pytest.raises(OpenShellError) as caught:
        counters.take(places)
    assert caught.value.code is Code.EXHAUSTED
    assert str(limit) in caught.value.message
    counters.give_back(places)
    counters.take(places)
    assert counters.taken("token t") == limit


def test_a_refusal_takes_nothing() -> None:
    counters = Counters()
    narrow = Place("sandbox s", 1, "sandbox 's'")
    wide = Place("token t", 5, "this session's token")
    counters.take((wide, narrow))
    with pytest.raises(OpenShellError, match="sandbox 's'"):
        counters.take((wide, narrow))
    assert counters.taken("token t") == 1
    counters.give_back((wide, narrow))
    assert repr(counters) == "Counters({})"


def test_plain_tokens_have_the_contracts_limits() -> None:
    places = places_for(ConnectionLimits(), "id", "web", "hash", 0)
    assert [(place.name, place.limit) for place in places] == [("token hash", 3), ("sandbox id", 20)]


def test_granted_tokens_are_counted_apart() -> None:
    places = places_for(ConnectionLimits(), "id", "web", "hash", 250)
    assert [(place.name, place.limit) for place in places] == [("token hash", 250), ("granted id", 1000)]


def test_commands_need_no_token() -> None:
    places = places_for(ConnectionLimits(commands_per_sandbox=7), "id", "web", "", 0)
    assert [(place.name, place.limit) for place in places] == [("commands id", 7)]

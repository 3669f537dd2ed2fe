from __future__ import annotations

import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.model import Limits, Placement, SandboxSpec
from pyopenshell.store.specs import spec_from_json, spec_to_json

specs = st.builds(
    SandboxSpec,
    source=st.text(),
    env=st.dictionaries(st.text(), st.text()),
    workdir=st.text(),
    command=st.lists(st.text()).map(tuple),
    limits=st.builds(Limits, cpu=st.floats(0, 1e6), memory=st.integers(0, 2**62), best_effort=st.booleans()),
    log_level=st.text(),
    placement=st.builds(Placement, host=st.text(), labels=st.dictionaries(st.text(), st.text())),
)


@given(specs)
def test_round_trip_through_text(spec: SandboxSpec) -> None:
    assert spec_from_json(json.loads(json.dumps(spec_to_json(spec)))) == spec


def test_no_field_is_forgotten() -> None:
    assert set(spec_to_json(SandboxSpec())) == {field.name for field in dataclasses.fields(SandboxSpec)}
    assert set(spec_to_json(SandboxSpec())["limits"]) == {field.name for field in dataclasses.fields(Limits)}
    assert set(spec_to_json(SandboxSpec())["placement"]) == {field.name for field in dataclasses.fields(Placement)}


def test_a_spec_that_was_kept_before_there_were_hosts() -> None:
    kept = spec_to_json(SandboxSpec(workdir="/tmp"))
    del kept["placement"]
    assert spec_from_json(kept) == SandboxSpec(workdir="/tmp")

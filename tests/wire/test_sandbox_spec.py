"""Sandbox specifications there and back, and quantities as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Limits, Placement, SandboxSpec
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.sandbox_spec import of_message, parse_cpu, parse_memory, to_message


@pytest.mark.parametrize(("text", "cores"), [("2", 2.0), ("0.5", 0.5), ("500m", 0.5), (" 1 ", 1.0), ("1024", 1024.0)])
def test_cpu(text: str, cores: float) -> None:
    assert parse_cpu(text) == cores


@pytest.mark.parametrize("text", ["", "0", "0m", "1025", "-1", "1k", "1e3", "two", "1 m", "nan", "inf"])
def test_bad_cpu(text: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        parse_cpu(text)
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("1k", 1000), ("1Ki", 1024), ("1K", 1024), ("512Mi", 512 << 20), ("1.5G", 1_500_000_000), ("2GiB", 2 << 30),
     ("1MB", 10**6), ("7B", 7)],
)  # fmt: skip
def test_memory(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "0", "1m", "1X", "-1", "1e9", "9999999999T", "1 Gi", "0.1"])
def test_bad_memory(text: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        parse_memory(text)
    assert caught.value.code is Code.INVALID


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@given(
    st.builds(
        SandboxSpec,
        source=st.sampled_from(["", "dir:/a b", "tar:/x.tar"]),
        env=st.dictionaries(WORDS.filter(lambda key: "=" not in key), WORDS),
        workdir=st.sampled_from(["", "/w"]),
        command=st.lists(WORDS).map(tuple),
        limits=st.builds(Limits, st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0, 1 << 30]), st.booleans()),
    )
)
def test_there_and_back(spec: SandboxSpec) -> None:
    message = to_message(spec)
    assert of_message(pb.SandboxSpec.FromString(message.SerializeToString())) == spec


def test_numbers_are_taken_as_other_clients_send_them() -> None:
    message = pb.SandboxSpec()
    message.template.resources.update({"limits": {"cpu": 1.5, "memory": 1073741824}})
    assert of_message(message).limits == Limits(1.5, 1 << 30)


@pytest.mark.parametrize(
    "resources",
    [{"limits": {"gpu": "1"}}, {"limits": {"cpu": "x"}}, {"limits": {"memory": ""}}, {"limits": {"cpu": []}}],
)
def test_limits_that_are_none(resources: dict[str, object]) -> None:
    message = pb.SandboxSpec()
    message.template.resources.update(resources)
    with pytest.raises(OpenShellError) as caught:
        of_message(message)
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize("image", ["ubuntu:24.04", "dir:relative", "/path", "tar:"])
def test_images_of_other_kinds_are_told(image: str) -> None:
    with pytest.raises(OpenShellError, match="use dir:/path"):
        of_message(pb.SandboxSpec(template=pb.SandboxTemplate(image=image)))


def test_commands_and_environments_are_checked() -> None:
    for message in (
        pb.SandboxSpec(command=["a\0b"]),
        pb.SandboxSpec(environment={"A=B": "c"}),
        pb.SandboxSpec(workdir="relative"),
        pb.SandboxSpec(workdir="/a\0b"),
    ):
        with pytest.raises(OpenShellError):
            of_message(message)
    merged = pb.SandboxSpec(environment={"A": "ours"})
    merged.template.environment.update({"A": "template", "B": "b"})
    assert of_message(merged).env == {"A": "ours", "B": "b"}


def asking(**fields: object) -> pb.SandboxSpec:
    return pb.SandboxSpec(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (asking(providers=["x"]), "credential providers"),
        (asking(resource_requirements=pb.ResourceRequirements(gpu=pb.GpuResourceRequirements())), "GPUs"),
        (asking(restart_policy=pb.SANDBOX_RESTART_POLICY_ALWAYS), "restart policies"),
        (asking(tty=True), "terminal"),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(message: pb.SandboxSpec, what: str) -> None:
    with pytest.raises(OpenShellError, match=f"this gateway has no {what}") as caught:
        of_message(message)
    assert caught.value.code is Code.PRECONDITION


@pytest.mark.parametrize("placement", [Placement("lab1"), Placement("here"), Placement(labels={"zone": "a"})])
def test_a_placement_travels(placement: Placement) -> None:
    assert of_message(to_message(SandboxSpec(placement=placement))).placement == placement


def test_no_placement_takes_no_room_on_the_wire() -> None:
    assert not to_message(SandboxSpec()).HasField("placement")


@pytest.mark.parametrize(
    ("placement", "what"),
    [
        (Placement("No Host"), "host name"),
        (Placement(labels={"a b": "c"}), "label"),
        (Placement(labels={f"k{n}": "" for n in range(65)}), "over the limit of 64"),
        (Placement("here", {"zone": "a"}), "has no labels"),
    ],
)
def test_a_placement_that_no_host_could_have(placement: Placement, what: str) -> None:
    with pytest.raises(OpenShellError, match=what) as caught:
        of_message(to_message(SandboxSpec(placement=placement)))
    assert caught.value.code is Code.INVALID

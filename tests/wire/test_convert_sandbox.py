from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Limits, SandboxSpec
from pyopenshell.wire.convert_sandbox import parse_quantity, put_sandbox_spec, sandbox_spec
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

SPECS = [
    SandboxSpec(),
    SandboxSpec("dir:/srv/image", {"A": "b"}, "/work", ("sleep", "1"), Limits(1.5, 2**30, True), "debug"),
    SandboxSpec(limits=Limits(cpu=0.25)),
    SandboxSpec(limits=Limits(memory=1)),
]


@pytest.mark.parametrize("spec", SPECS)
def test_there_and_back(spec: SandboxSpec) -> None:
    assert sandbox_spec(pb.SandboxSpec.FromString(put_sandbox_spec(spec).SerializeToString())) == spec


def test_environment_of_the_template_is_overridden() -> None:
    message = pb.SandboxSpec(environment={"A": "spec"})
    message.template.environment.update({"A": "template", "B": "template"})
    assert sandbox_spec(message).env == {"A": "spec", "B": "template"}


def test_limits_may_stand_alone_and_be_numbers() -> None:
    message = pb.SandboxSpec()
    message.template.resources.update({"cpu": 2, "memory": "512Mi"})
    assert sandbox_spec(message).limits == Limits(2.0, 512 * 2**20)


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2), ("500m", 0.5), ("1.5", 1.5), ("64M", 64e6), ("1Gi", 2**30), ("3k", 3000), ("2Ti", 2**41)],
)
def test_quantities(text: str, number: float) -> None:
    assert parse_quantity(text, "x") == number


@pytest.mark.parametrize("text", ["", "-1", "1 Gi", "Gi", "1X", "1e3", "nan", "1GiB"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(OpenShellError, match="quantity") as caught:
        parse_quantity(text, "memory limit")
    assert caught.value.code is Code.INVALID


def refused(**fields: object) -> pb.SandboxSpec:
    return pb.SandboxSpec(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "message",
    [
        refused(providers=["github"]),
        refused(resource_requirements=pb.ResourceRequirements(gpu=pb.GpuResourceRequirements(count=1))),
        refused(restart_policy=pb.SANDBOX_RESTART_POLICY_ALWAYS),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(message: pb.SandboxSpec) -> None:
    with pytest.raises(OpenShellError) as caught:
        sandbox_spec(message)
    assert caught.value.code is Code.PRECONDITION


@pytest.mark.parametrize(
    "resources", [{"limits": 3}, {"limits": {"gpu": "1"}}, {"cpu": "much"}, {"limits": {"memory": []}}]
)
def test_resources_that_mean_nothing(resources: dict[str, object]) -> None:
    message = pb.SandboxSpec()
    message.template.resources.update(resources)
    with pytest.raises(OpenShellError) as caught:
        sandbox_spec(message)
    assert caught.value.code is Code.INVALID


def test_a_command_and_a_directory_are_checked() -> None:
    for message in (
        pb.SandboxSpec(command=["a\0"]),
        pb.SandboxSpec(environment={"A=": ""}),
        pb.SandboxSpec(workdir="rel"),
    ):
        with pytest.raises(OpenShellError) as caught:
            sandbox_spec(message)
        assert caught.value.code is Code.INVALID

"""SandboxSpec of the wire and of `model`, with resource quantities as Kubernetes writes them (`500m`, `1Gi`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from google.protobuf.json_format import MessageToDict

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Limits, SandboxSpec, check_command
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-zA-Z]{0,2})")
#: Suffixes of quantities (kubernetes.io, "Resource Management for Pods and Containers").
_UNITS = {
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}


def sandbox_spec(message: pb.SandboxSpec) -> SandboxSpec:
    """What a client asked for. Raises INVALID for a bad command or quantity, PRECONDITION for what is not done here."""
    _refuse(bool(message.providers), "credential providers")
    _refuse(message.resource_requirements.HasField("gpu"), "GPUs")
    never = (pb.SANDBOX_RESTART_POLICY_UNSPECIFIED, pb.SANDBOX_RESTART_POLICY_NEVER)
    _refuse(message.restart_policy not in never, "restart policies")
    env = {**message.template.environment, **message.environment}
    command = tuple(message.command)
    check_command(command or ("true",), env)
    if message.workdir and not message.workdir.startswith("/"):
        raise OpenShellError(Code.INVALID, f"working directory {message.workdir[:80]!r} is not absolute")
    return SandboxSpec(
        source=message.template.image,
        env=env,
        workdir=message.workdir,
        command=command,
        limits=_limits(message),
        log_level=message.log_level,
    )


def put_sandbox_spec(spec: SandboxSpec) -> pb.SandboxSpec:
    """`spec` as a message; `sandbox_spec` gives it back."""
    message = pb.SandboxSpec(
        log_level=spec.log_level,
        environment=spec.env,
        command=spec.command,
        limits_best_effort=spec.limits.best_effort,
    )
    if spec.workdir:
        message.workdir = spec.workdir
    if spec.source:
        message.template.image = spec.source
    if spec.limits.cpu:
        message.template.resources.get_or_create_struct("limits")["cpu"] = f"{round(spec.limits.cpu * 1000)}m"
    if spec.limits.memory:
        message.template.resources.get_or_create_struct("limits")["memory"] = str(spec.limits.memory)
    return message


def parse_quantity(text: str, what: str) -> float:
    """The number that `500m`, `2`, `1Gi` or `64M` stands for. Raises INVALID that names `what`."""
    found = _QUANTITY.fullmatch(text)
    if not found or found[2] not in _UNITS:
        raise OpenShellError(
            Code.INVALID, f"{what} {text[:40]!r} is not a quantity", hint="write it like 2, 500m, 512Mi or 1Gi"
        )
    return float(found[1]) * _UNITS[found[2]]


def _limits(message: pb.SandboxSpec) -> Limits:
    """`template.resources` is `{"limits": {"cpu": .., "memory": ..}}`, or the inner part alone."""
    resources = MessageToDict(message.template.resources)
    limits = resources.get("limits", resources)
    if not isinstance(limits, Mapping):
        raise OpenShellError(Code.INVALID, "template.resources.limits is not an object")
    unknown = sorted(set(limits) - {"cpu", "memory", "requests"})
    if unknown:
        raise OpenShellError(Code.INVALID, f"resource {str(unknown[0])[:40]!r} is not known", hint="use cpu and memory")
    return Limits(
        cpu=parse_quantity(_text(limits.get("cpu", 0)), "cpu limit"),
        memory=round(parse_quantity(_text(limits.get("memory", 0)), "memory limit")),
        best_effort=message.limits_best_effort,
    )


def _text(value: object) -> str:
    return f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _refuse(asked: bool, what: str) -> None:
    if asked:
        raise OpenShellError(Code.PRECONDITION, f"this gateway has no {what}", hint="leave them out")

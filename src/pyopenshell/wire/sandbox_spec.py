"""Between `SandboxSpec` of the wire and the one of `model`.

source    template.image: `dir:/path` or `tar:/path`; empty is the host's own view
limits    template.resources {"limits": {"cpu": "1.5", "memory": "512Mi"}}, quantities as Kubernetes writes them
workdir, limits_best_effort, placement   our own fields, 1000 to 1002
"""

from __future__ import annotations

import math
import re

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import HERE, Limits, Placement, SandboxSpec, check_command, check_label, check_name
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|[kKMGT]i?B?|B)?")
#: Suffixes of a quantity (kubernetes.io, "Resource Management", units) and those that people type.
_SCALE = {"": 1, "B": 1, "k": 10**3, "K": 2**10, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
CPU_MAX = 1024.0  # cores; over any machine this runs on
MEMORY_MAX = 2**60  # bytes
HOST_LABELS_MAX = 64  # of one placement, as of one sandbox


def parse_cpu(text: str) -> float:
    """Cores from `2`, `0.5` or `500m`. Raises INVALID."""
    found = _QUANTITY.fullmatch(text.strip())
    if not found or found[2] not in (None, "m"):
        raise OpenShellError(Code.INVALID, f"cpu {text[:40]!r} is not valid", hint="use cores: 2, 0.5 or 500m")
    cores = float(found[1]) / (1000 if found[2] else 1)
    if not 0 < cores <= CPU_MAX:
        raise OpenShellError(Code.INVALID, f"cpu {text[:40]!r} is out of range", hint=f"use 1m to {CPU_MAX:.0f}")
    return cores


def parse_memory(text: str) -> int:
    """Bytes from `512Mi`, `2G`, `1073741824`. Raises INVALID."""
    found = _QUANTITY.fullmatch(text.strip())
    if not found or found[2] == "m":
        raise OpenShellError(Code.INVALID, f"memory {text[:40]!r} is not valid", hint="use bytes, 512Mi or 2G")
    suffix = (found[2] or "").removesuffix("B")
    scale = _BINARY[suffix[0].upper()] if suffix.endswith("i") else _SCALE[suffix]
    size = math.floor(float(found[1]) * scale)
    if not 0 < size <= MEMORY_MAX:
        raise OpenShellError(Code.INVALID, f"memory {text[:40]!r} is out of range")
    return size


def to_message(spec: SandboxSpec) -> pb.SandboxSpec:
    """The message that asks for `spec`."""
    message = pb.SandboxSpec(environment=dict(spec.env), command=list(spec.command), log_level=spec.log_level)
    if spec.source:
        message.template.image = spec.source
    if spec.workdir:
        message.workdir = spec.workdir
    limits: dict[str, str] = {}
    if spec.limits.cpu:
        limits["cpu"] = f"{spec.limits.cpu:g}"
    if spec.limits.memory:
        limits["memory"] = str(spec.limits.memory)
    if limits:
        message.template.resources.update({"limits": limits})
    message.limits_best_effort = spec.limits.best_effort
    if spec.placement != Placement():
        message.placement.host = spec.placement.host
        message.placement.host_labels.update(spec.placement.labels)
    return message


def of_message(message: pb.SandboxSpec) -> SandboxSpec:
    """What `message` asks for. Raises INVALID that names the field, PRECONDITION for what this gateway does not do."""
    _refuse(bool(message.providers), "credential providers")
    _refuse(message.resource_requirements.HasField("gpu"), "GPUs")
    never = (pb.SANDBOX_RESTART_POLICY_UNSPECIFIED, pb.SANDBOX_RESTART_POLICY_NEVER)
    _refuse(message.restart_policy not in never, "restart policies")
    _refuse(message.tty, "terminal for the main process")
    source = message.template.image
    if source and not source.startswith(("dir:/", "tar:/")):
        raise OpenShellError(
            Code.INVALID, f"image {source[:80]!r} is not supported", hint="use dir:/path or tar:/path, or none at all"
        )
    env = {**message.template.environment, **message.environment}
    spec = SandboxSpec(
        source=source,
        env=env,
        workdir=message.workdir,
        command=tuple(message.command),
        limits=_limits(message),
        log_level=message.log_level,
        placement=Placement(message.placement.host, dict(message.placement.host_labels)),
    )
    check(spec)
    return spec


def check(spec: SandboxSpec) -> None:
    """Raise INVALID, naming the limit, for a command, environment or directory that no process could have, or a placement
    that no host could have.
    """
    check_command(spec.command or ("-",), spec.env)
    if "\0" in spec.workdir:
        raise OpenShellError(Code.INVALID, "the working directory holds a NUL byte")
    if spec.workdir and not spec.workdir.startswith("/"):
        raise OpenShellError(Code.INVALID, f"working directory {spec.workdir[:80]!r} is not absolute")
    place = spec.placement
    if place.host:
        check_name(place.host, "host name")
    if len(place.labels) > HOST_LABELS_MAX:
        raise OpenShellError(Code.INVALID, f"{len(place.labels)} host labels are over the limit of {HOST_LABELS_MAX}")
    for key, value in place.labels.items():
        check_label(key, value)
    if place.host == HERE and place.labels:
        raise OpenShellError(Code.INVALID, f"host {HERE!r} is the gateway's own machine, which has no labels")


def _limits(message: pb.SandboxSpec) -> Limits:
    resources = message.template.resources.fields
    asked = resources["limits"].struct_value.fields if "limits" in resources else {}
    texts = {name: asked[name].string_value or f"{asked[name].number_value:.15g}" for name in asked}
    for name in texts:
        if name not in ("cpu", "memory"):
            raise OpenShellError(Code.INVALID, f"limit {name[:40]!r} is not known", hint="known: cpu, memory")
    return Limits(
        cpu=parse_cpu(texts["cpu"]) if "cpu" in texts else 0.0,
        memory=parse_memory(texts["memory"]) if "memory" in texts else 0,
        best_effort=message.limits_best_effort,
    )


def _refuse(asked: bool, what: str) -> None:
    if asked:
        raise OpenShellError(Code.PRECONDITION, f"this gateway has no {what}", hint="leave it out of the request")

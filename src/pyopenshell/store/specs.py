"""A sandbox's spec as JSON and back. A newer gateway's keys never come here: the schema version refuses its database."""

from __future__ import annotations

from typing import Any

from pyopenshell.model import Limits, Placement, SandboxSpec


def spec_to_json(spec: SandboxSpec) -> dict[str, Any]:
    """`spec` as plain JSON values."""
    return {
        "source": spec.source,
        "env": dict(spec.env),
        "workdir": spec.workdir,
        "command": list(spec.command),
        "limits": {
            "cpu": spec.limits.cpu,
            "memory": spec.limits.memory,
            "best_effort": spec.limits.best_effort,
        },
        "log_level": spec.log_level,
        "placement": {"host": spec.placement.host, "labels": dict(spec.placement.labels)},
    }


def spec_from_json(value: dict[str, Any]) -> SandboxSpec:
    """The spec that `spec_to_json` wrote."""
    fields = dict(value)
    fields["command"] = tuple(fields.get("command", ()))
    fields["limits"] = Limits(**fields.get("limits", {}))
    fields["placement"] = Placement(**fields.get("placement", {}))
    return SandboxSpec(**fields)

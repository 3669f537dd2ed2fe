"""Between protobuf messages and the words of `model`: the one place where a request's shape is judged."""

from __future__ import annotations

from pyopenshell.model import ExecSpec, Target
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


def target_of(message: pb.TcpForwardInit | pb.RelayOpen | pb.SessionTarget) -> Target | None:
    """The target that `message` names; None where none is set. Raises INVALID for one that may not be dialled."""
    raise NotImplementedError


def put_target(message: pb.TcpForwardInit | pb.RelayOpen | pb.SessionTarget, target: Target) -> None:
    """Set the target of `message`."""
    raise NotImplementedError


def exec_start(spec: ExecSpec) -> pb.ExecStart:
    """The first frame of an exec stream."""
    raise NotImplementedError


def exec_spec(start: pb.ExecStart) -> ExecSpec:
    """What an ExecStart asks for. Raises INVALID that names the limit."""
    raise NotImplementedError


def exec_request_spec(request: pb.ExecSandboxRequest) -> ExecSpec:
    """What an ExecSandboxRequest asks for. Raises INVALID."""
    raise NotImplementedError

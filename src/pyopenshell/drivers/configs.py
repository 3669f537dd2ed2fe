"""What a driver tells a child of the zygote: three configs, and the one message that carries one.

The text is JSON in a sealed memfd, because a sandbox's environment may be larger than a socket message, and because
secrets have no place in argv, environment or a file. The memfd is the first descriptor, the config's own descriptors
follow.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pyopenshell.drivers.messages import BadMessageError, close_all, receive_message, send_message
from pyopenshell.linux.descriptors import read_sealed, sealed_memfd
from pyopenshell.linux.etc import sandbox_ids
from pyopenshell.linux.ids import Extent, Ids, Shape
from pyopenshell.model import ARGV_ENV_MAX, Limits, Placement, SandboxSpec

#: argv and environment of a main process in JSON, where a control character takes six bytes, and everything else.
CONFIG_MAX = 6 * ARGV_ENV_MAX + 256 * 1024


@dataclass(frozen=True, slots=True)
class InitConfig:
    """For INIT: `directory` is the sandbox's own (absolute), `etc` further names of the host's /etc. Descriptors: the log,
    and the lifetime pipe where there is one.
    """

    sandbox_id: str
    name: str
    directory: str
    source: str
    ids: Mapping[str, Any]
    spec: Mapping[str, Any]
    lifetime: bool
    etc: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SupervisorConfig:
    """For SUPERVISOR. Descriptors: the sandbox's run directory, orders, log, then the gateway's directory where
    `gateway_socket` names a socket in it, and maybe the lifetime. `remote` is a `RemoteGateway` in its place.
    """

    sandbox_id: str
    name: str
    ids: Mapping[str, Any]
    spec: Mapping[str, Any]
    gateway_socket: str
    lifetime: bool
    token: str = field(repr=False)
    host_key: str = field(repr=False)
    remote: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """For TASK, a piece of work that needs the sandbox's ids: see `supervisor/task.py`."""

    work: str
    ids: Mapping[str, Any]
    path: str = ""
    destination: str = ""


Config = InitConfig | SupervisorConfig | TaskConfig


def ids_of(**values: Any) -> Ids:
    """The ids that `ids_to_json` wrote down. Raises ValueError, TypeError."""
    uids, gids = (tuple(Extent(**item) for item in values.pop(name)) for name in ("uids", "gids"))
    return Ids(Shape(values.pop("shape")), uids, gids, **values)


def ids_to_json(ids: Ids) -> dict[str, Any]:
    """Ids as plain values, in full: no other process finds them out again, perhaps in another way."""
    maps = {"uids": [asdict(item) for item in ids.uids], "gids": [asdict(item) for item in ids.gids]}
    return {**asdict(ids), **maps}


def ids_in(tree: str, ids: Ids) -> Ids:
    """`ids` with the user `sandbox` as the tree of an image has it; as they are for the host's view (`tree` empty).

    Raises INVALID where the image's user has an id that these ids do not have.
    """
    return ids.with_sandbox(*sandbox_ids(tree)) if tree else ids


def spec_to_json(spec: SandboxSpec) -> dict[str, Any]:
    """A spec as plain values."""
    return asdict(spec)


def spec_from_json(raw: Mapping[str, Any]) -> SandboxSpec:
    """The spec that `spec_to_json` wrote down."""
    values = dict(raw)
    values["limits"] = Limits(**values["limits"])
    values["command"] = tuple(values["command"])
    values["placement"] = Placement(**values["placement"])
    return SandboxSpec(**values)


def send_config(sock: socket.socket, config: Config, fds: Sequence[int] = ()) -> None:
    """Send a config and its descriptors. Raises OSError where the child is gone."""
    memfd = sealed_memfd("config", json.dumps(asdict(config)).encode())
    try:
        send_message(sock, {}, [memfd, *fds])
    finally:
        os.close(memfd)


def receive_config(sock: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A config's values and its descriptors. Raises EOFError where the sender is gone, BadMessageError."""
    got = receive_message(sock)
    if got is None:
        raise EOFError("nobody told this child what to do")
    _message, fds = got
    try:
        if not fds:
            raise BadMessageError("a config came without its text")
        raw: dict[str, Any] = json.loads(read_sealed(fds[0], CONFIG_MAX))
    except BaseException:
        close_all(fds)
        raise
    os.close(fds[0])
    return raw, fds[1:]

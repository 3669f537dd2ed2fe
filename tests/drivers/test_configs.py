from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from pyopenshell.drivers.configs import (
    InitConfig,
    SupervisorConfig,
    TaskConfig,
    ids_in,
    ids_of,
    ids_to_json,
    receive_config,
    send_config,
    spec_from_json,
    spec_to_json,
)
from pyopenshell.drivers.messages import BadMessageError, pair, send_message
from pyopenshell.errors import OpenShellError
from pyopenshell.linux.ids import Extent, Ids, Shape, range_ids, single_ids
from pyopenshell.model import Limits, SandboxSpec

SPEC = SandboxSpec("tar:/x", {"A": "1"}, "/w", ("a", "b"), Limits(0.5, 7, True), "debug")

SUBRANGE = Ids(Shape.SUBRANGE, (Extent(0, 1001, 1), Extent(1, 100_000, 65_535)), (Extent(0, 1001, 1), Extent(1, 7, 70)))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = pair()
    with near, far:
        yield near, far


def test_a_spec_survives() -> None:
    assert spec_from_json(spec_to_json(SPEC)) == SPEC


@pytest.mark.parametrize(
    "ids", [range_ids(0x90000), range_ids(0x90000, 5, 6), single_ids(), single_ids(7, 8), SUBRANGE]
)
def test_ids_survive(ids: object) -> None:
    assert ids_of(**ids_to_json(ids)) == ids  # type: ignore[arg-type]


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="none"):
        ids_of(**{**ids_to_json(single_ids()), "shape": "none"})


def test_the_user_of_an_image_is_taken(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("sandbox:x:998:997::/sandbox:/bin/sh\n")
    ids = ids_in(str(tmp_path), range_ids(0x90000))
    assert (ids.sandbox_uid, ids.sandbox_gid, ids.supervisor) == (998, 997, 0x90000 + 65536)
    assert ids_in("", ids) is ids
    assert ids_in(str(tmp_path), single_ids()) == single_ids(998, 997)
    with pytest.raises(OpenShellError, match="id 997 does not exist in the sandbox"):
        ids_in(str(tmp_path), SUBRANGE)


@pytest.mark.parametrize(
    "config",
    [
        InitConfig("id", "web", "/d", "", ids_to_json(single_ids()), spec_to_json(SPEC), True, ["motd"]),
        SupervisorConfig("id", "web", ids_to_json(single_ids()), spec_to_json(SPEC), "sock", False, "t", "k"),
        TaskConfig("remove", ids_to_json(single_ids()), "/p"),
    ],
)
def test_a_config_arrives_with_its_descriptors(ends: tuple[socket.socket, socket.socket], config: object) -> None:
    near, far = ends
    send_config(near, config, [0])  # type: ignore[arg-type]
    raw, fds = receive_config(far)
    assert type(config)(**raw) == type(config)(**json.loads(json.dumps(asdict(config))))  # type: ignore[call-overload]
    assert len(fds) == 1
    os.close(fds[0])


def test_secrets_are_not_in_the_text_of_a_config() -> None:
    config = SupervisorConfig("id", "web", {}, {}, "sock", False, token="SECRET", host_key="SECRET")
    assert "SECRET" not in repr(config)


def test_a_gone_sender_and_a_config_without_text_are_errors(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    send_message(near, {})
    with pytest.raises(BadMessageError, match="without its text"):
        receive_config(far)
    near.close()
    with pytest.raises(EOFError):
        receive_config(far)

"""A client that is not ours works unchanged: gRPC's own library against our gateway, over mutual TLS."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.gateway_kit import Kit

SCRIPT = Path(__file__).parents[1] / "support" / "foreign_client.py"


async def plays(kit: Kit, name: str, *more: str) -> object:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        str(kit.gateway.port),
        str(kit.settings.state / "pki"),
        name,
        *more,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return json.loads(out)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lists", ["web"]),
        ("watches", [pb.SANDBOX_PHASE_READY]),
        ("forwards", [["data"], True]),
        ("refused", "UNAUTHENTICATED"),
        ("compressed", "UNIMPLEMENTED"),
    ],
)
async def test_plays(kit: Kit, name: str, expected: object) -> None:
    await kit.ready()
    assert await plays(kit, name) == expected


async def test_both_directions_stay_open(kit: Kit) -> None:
    await kit.ready()
    assert await plays(kit, "answers_first", await kit.token()) == ["one", "two", []]

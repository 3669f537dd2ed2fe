"""gRPC's interoperability cases between our client and our server; `make conformance` plays them with other people's."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.client import CASES
from conformance.service import TestService as Service
from pyopenshell.streams import Channel
from tests.support.stream_pairs import make_pki, make_tls, running


@pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("case", CASES)
async def test_interoperability(case: str, secure: bool, tmp_path: Path) -> None:
    tls = make_tls(make_pki(tmp_path)) if secure else None
    async with running(Service().handlers(), tls) as (_, endpoint):
        channel = await Channel.connect(endpoint, tls.client if tls is not None else None)
        await CASES[case](channel)
        await channel.close()


async def test_a_fault_is_noticed() -> None:
    class Loses(Service):
        def headers(self, call: object) -> list[tuple[str, str | bytes]]:
            return []

    async with running(Loses().handlers()) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(AssertionError, match="x-grpc-test-echo-initial"):
            await CASES["custom_metadata"](channel)
        await channel.close()

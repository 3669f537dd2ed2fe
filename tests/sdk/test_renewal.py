"""A certificate that renews itself: when, how, and that no failure is anybody's."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.enrol.keys import clock, validity
from pyopenshell.enrol.renewal import RETRY_AFTER
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk import renewal
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.enrolment import take_user
from pyopenshell.sdk.gateways import Gateway, Registry, add_fields
from pyopenshell.sdk.paths import Paths
from tests.support.enrolment import DAY, EnrollingGateway


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[EnrollingGateway]:
    made = await EnrollingGateway(tmp_path).start()
    yield made
    await made.stop()


@pytest.fixture
async def known(lab: EnrollingGateway, paths: Paths) -> Gateway:
    found, _ = await take_user(paths, lab.invitation(), user="ada")
    lab.asked.clear()
    return found


def kept(gateway: Gateway) -> float:
    return float(json.loads((gateway.mtls.parent / "metadata.json").read_text())["renew_after"])


async def test_before_its_time_nothing_is_asked(lab: EnrollingGateway, known: Gateway) -> None:
    async with Client(known) as client:
        await client.health()
    assert lab.asked == ["Health"]


async def test_a_connection_after_its_time_renews(lab: EnrollingGateway, known: Gateway, paths: Paths) -> None:
    old, key = known.certificate.read_bytes(), known.key.read_bytes()
    add_fields(known, {"renew_after": 1})
    lab.certificate_end = 99 * DAY
    async with Client(Registry(paths).load("lab")) as client:
        await client.health()
        await client.health()
    assert lab.asked == ["RenewCertificate", "Health", "Health"]
    new = known.certificate.read_bytes()
    assert new != old and known.key.read_bytes() == key
    assert kept(known) == validity(new).renew_after > time.time()
    async with Client(Registry(paths).load("lab")) as client:
        await client.health()
    assert lab.asked[3:] == ["Health"] and lab.certificates[-1] != lab.certificates[1]


async def test_a_failure_is_nobodys_and_is_not_repeated_at_once(
    lab: EnrollingGateway, known: Gateway, paths: Paths
) -> None:
    add_fields(known, {"renew_after": 1})
    lab.refuse["RenewCertificate"] = OpenShellError(Code.UNAVAILABLE, "not now")
    old = known.certificate.read_bytes()
    before = time.time()
    async with Client(known) as client:
        assert await client.health() == ("healthy", "9.9")
    assert before + RETRY_AFTER <= kept(known) and known.certificate.read_bytes() == old
    async with Client(Registry(paths).load("lab")) as client:
        await client.health()
    assert lab.asked == ["RenewCertificate", "Health", "Health"]


async def test_where_nothing_can_be_written_this_process_asks_once(
    lab: EnrollingGateway, known: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OpenShellError(Code.EXHAUSTED, "the disk is full")

    monkeypatch.setattr(renewal, "write_private", full)
    monkeypatch.setattr(renewal, "add_fields", full)
    known.extra["renew_after"] = 1
    async with Client(known) as client:
        await client.health()
    assert not renewal.due(known, time.time())


async def test_a_token_says_who_calls_so_nothing_is_renewed(lab: EnrollingGateway, known: Gateway) -> None:
    add_fields(known, {"renew_after": 1})
    async with Client(known, "ost_x") as client:
        await client.health()
    assert lab.asked == ["Health"]


def test_of_whose_times_nothing_is_known(known: Gateway) -> None:
    for value in (None, "soon", [], {}):
        known.extra["renew_after"] = value
        assert not renewal.due(known, 9e9)
    assert renewal.fields_of(None) == renewal.fields_of(b"rubbish") == {}


async def test_a_certificate_that_has_ended_is_told_with_both_clocks(
    lab: EnrollingGateway, known: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = validity(known.certificate.read_bytes())
    assert renewal.out_of_time(known, time.time()) == ""
    assert f"counts from {clock(times.start)} on" in renewal.out_of_time(known, times.start - 9)
    later = times.end + 60
    monkeypatch.setattr("pyopenshell.sdk.connection.time.time", lambda: later)
    async with Client(known) as client:
        await client.health()
        channel = client.connection._channel
        assert channel is not None
        await channel.close()
        monkeypatch.setattr(type(channel), "established", False)
        told = client.connection.explained(OpenShellError(Code.UNAVAILABLE, "lost"))
    assert told.code is Code.UNAUTHENTICATED and "ask for a new invitation" in told.hint
    assert f"ended at {clock(times.end)}, and this machine's clock says {clock(later)}" in told.message
    known.certificate.write_bytes(b"rubbish")
    assert renewal.out_of_time(known, later) == ""

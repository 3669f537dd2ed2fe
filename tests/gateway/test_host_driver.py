"""A driver by orders: away it says since when, limits go by the host's facts, and ends count once for each start."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.drivers.base import Birth
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.host_driver import HostDriver, lost_mark
from pyopenshell.gateway.host_session import HostSession
from pyopenshell.model import Limits, SandboxSpec
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

BIRTH = Birth("box", "web", SandboxSpec(), token="t", host_key="k", gateway_socket="", id_base=7)
HOLDS = {"limit_cpu": "yes", "limit_memory": "no: no memory controller"}


async def answered(driver: HostDriver, **answer: object) -> ext.Order:
    """Answer the next order."""
    assert driver.session is not None
    while (message := await driver.session.next()) is not None and message.WhichOneof("payload") != "order":
        pass
    assert message is not None
    driver.session.answered(ext.HostAnswer(order=message.order.id, **answer))  # type: ignore[arg-type]
    return message.order


def connected() -> HostDriver:
    driver = HostDriver("lab1", 0.0)
    driver.session = HostSession("lab1", "s", "m1", 60.0)
    return driver


async def test_away_every_call_says_since_when() -> None:
    driver = HostDriver("lab1", 1_800_000_000.0)
    words = f"{lost_mark('lab1')} since 2027-01-15T08:00:00Z"
    for call in (
        driver.start(BIRTH),
        driver.adopt(BIRTH),
        driver.stop("box"),
        driver.delete("box"),
        driver.processes(),
    ):
        with pytest.raises(OpenShellError) as caught:
            await call
        assert (caught.value.code, caught.value.message) == (Code.UNAVAILABLE, words)
    assert HostDriver("lab1").away() == f"{lost_mark('lab1')}: it is not registered"
    await driver.close()


async def test_what_a_host_is_told() -> None:
    driver = connected()
    assert driver.away() == ""
    starting = asyncio.ensure_future(driver.start(BIRTH))
    order = await answered(driver, facts={"system": "overlay\n"})
    assert (order.start.sandbox_id, order.start.token, order.start.host_key, order.start.id_base) == (
        "box",
        "t",
        "k",
        7,
    )
    assert await starting == {"system": "overlay\\x0a"}
    adopting = asyncio.ensure_future(driver.adopt(BIRTH))
    assert (await answered(driver, runs=True)).adopt.name == "web"
    assert await adopting


async def test_an_end_counts_once_for_each_start() -> None:
    driver = connected()
    told: list[tuple[str, str]] = []
    driver.on_exit = lambda sandbox_id, reason: told.append((sandbox_id, reason))
    driver.ended("box", "never started")
    starting = asyncio.ensure_future(driver.start(BIRTH))
    await answered(driver)
    await starting
    driver.ended("box", "killed")
    driver.ended("box", "killed")
    assert told == [("box", "killed")]


@pytest.mark.parametrize("how", ["refused", "not there", "stopped", "deleted"])
async def test_an_end_of_what_does_not_run_does_not_count(how: str) -> None:
    driver = connected()
    driver.on_exit = lambda *_: pytest.fail("told")
    call = {
        "refused": driver.start(BIRTH),
        "not there": driver.adopt(BIRTH),
        "stopped": driver.stop("box"),
        "deleted": driver.delete("box"),
    }
    asked = asyncio.ensure_future(call.pop(how))  # type: ignore[arg-type]
    for other in call.values():
        other.close()
    await answered(driver, error="internal" if how == "refused" else "")
    await asyncio.wait([asked])
    asked.exception()
    driver.ended("box", "gone")


@pytest.mark.parametrize(
    ("facts", "limits", "refusal"),
    [
        (HOLDS, Limits(cpu=1.0), ""),
        (HOLDS, Limits(memory=2**30), "host lab1 cannot hold a memory limit: no memory controller"),
        (HOLDS, Limits(memory=2**30, best_effort=True), ""),
        ({}, Limits(cpu=1.0), "it does not say that it can"),
        ({}, Limits(), ""),
    ],
)
async def test_limits_go_by_its_facts(facts: dict[str, str], limits: Limits, refusal: str) -> None:
    driver = HostDriver("lab1", 0.0, facts)
    assert await driver.probe() == facts
    if not refusal:
        driver.check(SandboxSpec(limits=limits))
        return
    with pytest.raises(OpenShellError, match=refusal) as caught:
        driver.check(SandboxSpec(limits=limits))
    assert caught.value.code is Code.PRECONDITION


def test_its_sandboxes_have_ranges_where_it_says_so() -> None:
    assert HostDriver("lab1", 0.0, {"isolation": "range"}).ranges
    assert not HostDriver("lab1", 0.0).ranges

"""One gateway, one relay, and a check that an event is a whole OCSF object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pyopenshell.audit.base import Event, Relay, Source
from pyopenshell.model import Principal, Role, TcpTarget

SOURCE = Source("local", "0.1.0", "host-1")
ALICE = Principal("alice", Role.ADMIN)


@pytest.fixture
def source() -> Source:
    return SOURCE


@pytest.fixture
def alice() -> Principal:
    return ALICE


@pytest.fixture
def relay() -> Callable[..., Relay]:
    def make(**fields: Any) -> Relay:
        return Relay(
            **{
                "channel_id": "chan-1",
                "sandbox_id": "sb-1",
                "sandbox": "web",
                "target": TcpTarget("127.0.0.1", 80),
                "principal": ALICE,
                "address": "10.0.0.9:4711",
                **fields,
            }
        )

    return make


@pytest.fixture
def whole() -> Callable[[Event], None]:
    def check(event: Event) -> None:
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["category_uid"] == event["class_uid"] // 1000
        assert event["type_name"] == f"{event['class_name']}: {event['activity_name']}"
        assert event["severity_id"] in (1, 2, 3, 4)
        assert event["status_id"] in (1, 2)
        assert event["message"]
        assert event["metadata"]["version"] == "1.3.0"
        assert event["metadata"]["product"] == {
            "name": "openshell-gateway", "vendor_name": "pyopenshell", "version": "0.1.0",
        }  # fmt: skip
        # attributes that OCSF 1.3 requires of the class
        required = {4001: [], 4007: [], 1007: ["actor", "device", "process"], 3002: ["user"], 3004: ["entity"], 0: []}
        for name in required[event["class_uid"]]:
            assert event[name]
        if event["class_uid"] in (4001, 4007):
            assert event["src_endpoint"] or event["dst_endpoint"]
            assert event["dst_endpoint"]

    return check

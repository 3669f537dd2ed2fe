"""SETTINGS parameters: each bound at the limit and next to it; what we announce."""

from __future__ import annotations

import pytest

from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.limits import Limits
from pyopenshell.http2.settings import ASSUMED_STREAMS, PeerSettings, announced


def apply(settings: PeerSettings, key: int, value: int, peer: Role = Role.CLIENT) -> None:
    settings.apply(memoryview(key.to_bytes(2, "big") + value.to_bytes(4, "big")), peer)


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        (3, 0, "max_streams"),
        (3, ASSUMED_STREAMS, "max_streams"),
        (4, 0, "initial_window"),
        (4, 2**31 - 1, "initial_window"),
        (5, 2**14, "max_frame"),
        (5, 2**24 - 1, "max_frame"),
        (6, 0, "max_header_list"),
    ],
)
def test_values_that_hold(key: int, value: int, name: str) -> None:
    settings = PeerSettings()
    apply(settings, key, value)
    assert getattr(settings, name) == value


def test_every_table_size_of_the_last_frame_is_kept() -> None:
    settings = PeerSettings()
    settings.apply(memoryview(bytes.fromhex("000100000000 00010000ffff")), Role.CLIENT)
    assert settings.header_tables == [0, 0xFFFF]
    apply(settings, 3, 1)
    assert settings.header_tables == []


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (2, 2, ErrorCode.PROTOCOL_ERROR),
        (4, 2**31, ErrorCode.FLOW_CONTROL_ERROR),
        (5, 2**14 - 1, ErrorCode.PROTOCOL_ERROR),
        (5, 2**24, ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_values_that_do_not(key: int, value: int, code: ErrorCode) -> None:
    with pytest.raises(ConnectionFault, match="SETTINGS: ") as caught:
        apply(PeerSettings(), key, value)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("value", "peer", "sound"),
    [(0, Role.SERVER, True), (0, Role.CLIENT, True), (1, Role.CLIENT, True), (1, Role.SERVER, False)],
)
def test_only_a_client_may_enable_push(value: int, peer: Role, sound: bool) -> None:
    if sound:
        apply(PeerSettings(), 2, value, peer)
    else:
        with pytest.raises(ConnectionFault, match="ENABLE_PUSH is 1"):
            apply(PeerSettings(), 2, value, peer)


def test_unknown_ones_are_ignored_and_the_last_of_two_counts() -> None:
    settings = PeerSettings()
    settings.apply(
        memoryview(bytes.fromhex("00050000400000ff123456780005000080000005000040 01".replace(" ", ""))), Role.CLIENT
    )
    assert settings.max_frame == 2**14 + 1


def test_streams_are_assumed_until_the_first_frame_and_unlimited_after_it() -> None:
    settings = PeerSettings()
    assert (settings.max_streams, settings.seen) == (ASSUMED_STREAMS, False)
    settings.apply(memoryview(b""), Role.SERVER)
    assert (settings.max_streams, settings.seen) == (2**31 - 1, True)
    apply(settings, 3, 5, Role.SERVER)
    settings.apply(memoryview(b""), Role.SERVER)
    assert settings.max_streams == 5, "a later frame without it changes nothing"


def test_what_we_announce() -> None:
    assert dict(announced(Role.CLIENT, Limits())) == {2: 0, 4: 2**16, 5: 2**16, 6: 2**14}
    assert dict(announced(Role.SERVER, Limits())) == {3: 1_100, 4: 2**16, 5: 2**16, 6: 2**14}
    plain = Limits(max_frame=2**14, initial_window=65_535, header_table=0)
    assert dict(announced(Role.CLIENT, plain)) == {1: 0, 2: 0, 6: 2**14}

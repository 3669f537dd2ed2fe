"""HPACK with limits and caches: the caches never change what a peer reads."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder
from hpack.hpack import encode_integer

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import Header
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.header_codec import HeaderCodec, list_size
from pyopenshell.http2.limits import Limits
from tests.support.http2_peer import REQUEST, RESPONSE


def decode(decoder: Decoder, block: bytes) -> list[Header]:
    return [(name, value) for name, value in decoder.decode(block, raw=True)]


def test_the_same_list_becomes_the_same_short_block() -> None:
    codec, decoder = HeaderCodec(Limits()), Decoder()
    blocks = [codec.encode(REQUEST) for _ in range(4)]
    assert len(blocks[0]) > len(blocks[1]) == len(REQUEST)
    assert blocks[1] is not blocks[0] and blocks[2] is blocks[3]
    assert all(decode(decoder, block) == REQUEST for block in blocks)


def test_a_change_of_the_table_empties_both_caches() -> None:
    ours, theirs = HeaderCodec(Limits()), HeaderCodec(Limits())
    lists = [
        REQUEST,
        RESPONSE,
        [*REQUEST, (b"x", b"1")],
        REQUEST,
        REQUEST,
        [(b"y" * 1000, b"1" * 2900)],
        REQUEST,
        REQUEST,
    ]
    for headers in lists * 3:
        for _ in range(3):
            assert theirs.decode(ours.encode(headers)) == headers


def test_a_table_that_was_small_within_a_block_empties_the_cache() -> None:
    codec = HeaderCodec(Limits())
    both: list[Header] = [(b"grpc-status", b"13"), (b"grpc-message", b"why")]
    encoder = Encoder()
    first, second = encoder.encode(both), encoder.encode(both)
    for block in (b"\x3f\x3f" + first, second, second):  # a table of 94 bytes: room for both, 45 and 47 bytes
        assert codec.decode(block) == both
    assert codec.decode(b"\x3f\x16\x3f\x3f") == []  # 53 bytes and 94 again: the older one was evicted
    with pytest.raises(ConnectionFault) as caught:
        codec.decode(second)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


def test_more_lists_than_the_caches_hold() -> None:
    ours, theirs = HeaderCodec(Limits(header_table=0)), HeaderCodec(Limits(header_table=0))
    ours.peer_table(0)
    for number in [*range(100), *range(100)]:
        headers = [(b"n", str(number).encode())]
        assert theirs.decode(ours.encode(headers)) == headers


@pytest.mark.parametrize("name", [b"authorization", b"cookie", b"set-cookie", b"proxy-authorization"])
def test_secrets_are_never_indexed(name: bytes) -> None:
    codec, decoder = HeaderCodec(Limits()), Decoder()
    for _ in range(3):
        block = codec.encode([(name, b"secret")])
        assert block[0] & 0xF0 == 0x10, "literal, never indexed (RFC 7541 section 6.2.3)"
        assert decode(decoder, block) == [(name, b"secret")]
    assert not decoder.header_table.dynamic_entries


def test_the_peers_table_size_binds_up_to_ours() -> None:
    codec, decoder = HeaderCodec(Limits()), Decoder()
    codec.peer_table(2**32 - 1)
    assert decode(decoder, codec.encode(REQUEST)) == REQUEST
    codec.peer_table(0)
    assert decode(decoder, codec.encode(REQUEST)) == REQUEST
    assert decoder.header_table_size == 0
    for _ in range(2):
        assert decode(decoder, codec.encode(REQUEST)) == REQUEST


def test_our_table_size_binds_from_its_acknowledgement_on() -> None:
    ours, theirs = HeaderCodec(Limits(header_table=100)), HeaderCodec(Limits())
    for _ in range(2):
        assert ours.decode(theirs.encode(REQUEST)) == REQUEST, "the peer does not know it yet"
    ours.own_table()
    stubborn = HeaderCodec(Limits(header_table=100))
    stubborn.own_table()
    with pytest.raises(ConnectionFault):
        stubborn.decode(HeaderCodec(Limits()).encode(REQUEST))
    theirs.peer_table(100)
    assert ours.decode(theirs.encode(REQUEST)) == REQUEST


@pytest.mark.parametrize(
    ("sizes", "updates"),
    [
        ([0, 4_096], [0, 4_096]),
        ([0, 4_096, 4_096], [0, 4_096]),
        ([100, 100], [100]),
        ([100, 0, 4_096, 200], [0, 200]),
        ([200, 100], [100]),
        ([100, 4_096, 100], [100]),
        ([4_096, 2**32 - 1], []),
    ],
)
def test_the_next_block_names_the_smallest_table_and_the_last(sizes: list[int], updates: list[int]) -> None:
    codec, plain, decoder = HeaderCodec(Limits()), HeaderCodec(Limits()), Decoder()
    for one in (codec, plain):
        one.encode(REQUEST)
    for size in sizes:
        codec.peer_table(size)
    block = codec.encode([(b"x", b"1")])
    assert block.startswith(b"".join(encode_update(size) for size in updates))
    assert block[:1] and (bool(updates) or block == plain.encode([(b"x", b"1")]))
    decoder.max_allowed_table_size = sizes[-1]
    assert decode(decoder, block) == [(b"x", b"1")]


def encode_update(size: int) -> bytes:
    prefix = encode_integer(size, 5)
    prefix[0] |= 0x20
    return bytes(prefix)


def test_header_list_at_the_limit_and_over_it() -> None:
    limit = 200
    for size, sound in [(limit - 1, True), (limit, True), (limit + 1, False)]:
        headers = [(b"name", bytes(size - 36))]
        assert list_size(headers) == size
        codec = HeaderCodec(Limits(max_header_list=limit))
        if sound:
            assert codec.decode(Encoder().encode(headers)) == headers
        else:
            with pytest.raises(ConnectionFault, match="header list over 200 bytes") as caught:
                codec.decode(Encoder().encode(headers))
            assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM


def test_a_bomb_stops_at_the_limit() -> None:
    encoder = Encoder()
    block = encoder.encode([(b"bomb", b"x" * 3000)]) + bytes([0x80 | 62]) * 10_000
    with pytest.raises(ConnectionFault) as caught:
        HeaderCodec(Limits()).decode(block)
    assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",
        b"\xff\xff\xff\xff\xff\xff\xff",
        b"\xbe",
        b"\x40\x05abc",
        b"\x3f\xe2\x1f",
        b"\x82\x20",
        b"\x00\x81\xff\x00",
        b"\x3f",
        b"\x3f\x80",
    ],
    ids=[
        "index 0",
        "endless integer",
        "no such index",
        "cut short",
        "table of 4097",
        "late table size",
        "bad huffman",
        "half an update",
        "two thirds of one",
    ],
)
def test_what_cannot_be_decoded(block: bytes) -> None:
    with pytest.raises(ConnectionFault) as caught:
        HeaderCodec(Limits()).decode(block)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


@pytest.mark.parametrize("update", [b"\x20", b"\x3f\xe1\x1e", b"\x3f\x00"], ids=["0", "4000", "31"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5_000])
def test_table_size_updates_at_the_limit(update: bytes, count: int) -> None:
    block = update * count + b"\x82"
    if count <= 2:
        assert HeaderCodec(Limits()).decode(block) == [(b":method", b"GET")]
    else:
        with pytest.raises(ConnectionFault, match="more than two") as caught:
            HeaderCodec(Limits()).decode(block)
        assert caught.value.code is ErrorCode.COMPRESSION_ERROR

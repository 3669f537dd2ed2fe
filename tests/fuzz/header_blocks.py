"""The header codec: its caches against an encoder and a decoder without any.

Whatever we encode, a plain decoder reads; whatever a plain encoder writes, in whatever table, we read; whatever is broken
gets the verdict of a plain decoder. Both ends change the size of the table at any time.
"""

from __future__ import annotations

from hpack import Decoder, Encoder, HPACKError, OversizedHeaderListError

from pyopenshell.http2 import ErrorCode, Header, Limits
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.header_codec import HeaderCodec
from tests.fuzz.choices import Step, steps
from tests.fuzz.grammar import BLOCKS, MALFORMED, REQUESTS, RESPONSES, TRAILERS
from tests.fuzz.model import table_updates

LISTS = [*REQUESTS, *RESPONSES, *TRAILERS, *MALFORMED]
TABLES = (0, 60, 100, 200, 4_096, 4_096, 65_536)
LIMITS = Limits(max_header_list=700)


class Codecs:
    """Our codec, and plain ones at the other end of both directions."""

    def __init__(self) -> None:
        self.ours = HeaderCodec(LIMITS)
        self.ours.own_table()
        self.their_encoder = Encoder()
        self.their_decoder = Decoder()
        self.plain = Decoder(max_header_list_size=LIMITS.max_header_list)
        self.plain.max_allowed_table_size = LIMITS.header_table
        self.over = False

    def headers(self, step: Step) -> list[Header]:
        which, extra = step.pick(LISTS), step.byte()
        if extra % 4 == 1:
            return [*which, (b"x-%d" % (extra >> 6), b"%d" % (extra % 16))]
        if extra % 4 == 2:  # fills a small table
            return [(b"x-%d" % (extra >> 6), b"v" * (extra % 64))]
        return which if extra != 255 else [*which, (b"x-long", b"v" * 600)]

    def out(self, headers: list[Header]) -> None:
        block = self.ours.encode(headers)
        assert table_updates(block) <= 2
        assert [tuple(field) for field in self.their_decoder.decode(block, raw=True)] == headers

    def block_in(self, block: bytes) -> None:
        expected: list[Header] | ErrorCode
        try:
            expected = [(bytes(name), bytes(value)) for name, value in self.plain.decode(block, raw=True)]
        except OversizedHeaderListError:
            expected = ErrorCode.ENHANCE_YOUR_CALM
        except HPACKError:
            expected = ErrorCode.COMPRESSION_ERROR
        if table_updates(block) > 2:
            expected = ErrorCode.COMPRESSION_ERROR
        got: list[Header] | ErrorCode
        try:
            got = self.ours.decode(block)
        except ConnectionFault as fault:
            got = fault.code
        assert got == expected, f"read {got}, expected {expected}"
        self.over = isinstance(expected, ErrorCode)

    def step(self, step: Step) -> None:
        what = step.what % 16
        if what < 6:
            self.out(self.headers(step))
        elif what < 12:
            self.block_in(self.their_encoder.encode(self.headers(step)))
        elif what == 12:
            size = step.pick(TABLES)
            self.ours.peer_table(size)
            self.their_decoder.header_table.maxsize = min(size, self.their_decoder.header_table_size)
            self.their_decoder.max_allowed_table_size = size
        elif what == 13:
            self.their_encoder.header_table_size = step.pick(TABLES[:6])
        elif what == 14 and step.flip(4):
            self.block_in(step.pick(BLOCKS))
        elif what == 15 and step.flip(4):
            self.block_in(step.rest)


def header_blocks(program: bytes) -> None:
    """Run a program; raises AssertionError where the codec is wrong."""
    codecs = Codecs()
    for step in steps(program):
        codecs.step(step)
        if codecs.over:
            return

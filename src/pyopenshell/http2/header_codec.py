"""Header lists to blocks and back: HPACK (RFC 7541) by the `hpack` package, with our limits and two caches.

The same fields travel again and again: once they are in the dynamic table, a request is a dozen indexes. Such a block
changes no table, so as long as nothing else changes the table it means the same list, and the same list makes the same
block: one dictionary look-up instead of a walk. Any change of the table empties its cache.
"""

from __future__ import annotations

from collections.abc import Sequence

from hpack import Decoder, Encoder, HPACKError, NeverIndexedHeaderTuple, OversizedHeaderListError
from hpack.table import HeaderTable

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import Header
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.limits import Limits

#: Values that no intermediary may index (RFC 7541 section 7.1.3): a guess must not show in a length.
_NEVER_INDEXED = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})
#: Blocks kept in a cache. A peer makes a few kinds of call, with a few kinds of answer.
_CACHE_ENTRIES = 64
#: Blocks longer than this are not worth keeping: 64 of them are bounded to 128 KiB.
_CACHE_BLOCK = 2_048

_MOST_TABLE_UPDATES = 2
#: HEADER_TABLE_SIZE of both sides until SETTINGS say otherwise (RFC 9113 section 6.5.2).
_FIRST_TABLE = 4_096


class _TableWatch:
    """Tells whether a dynamic table changed: an insertion puts a new object first, an eviction alone leaves fewer.

    Alone it comes with two size updates in one block: smaller, and back.
    """

    __slots__ = ("_count", "_first", "_size", "_table")

    def __init__(self, table: HeaderTable) -> None:
        self._table = table
        self._first: object = None
        self._count = 0
        self._size = table.maxsize

    def changed(self) -> bool:
        entries = self._table.dynamic_entries
        first = entries[0] if entries else None
        count = len(entries)
        if first is self._first and count == self._count and self._table.maxsize == self._size:
            return False
        self._first = first
        self._count = count
        self._size = self._table.maxsize
        return True


class HeaderCodec:
    """The HPACK state of both directions of one connection."""

    def __init__(self, limits: Limits) -> None:
        self._ceiling = limits.header_table
        self._encoder = Encoder()
        self._decoder = Decoder(max_header_list_size=limits.max_header_list)
        self._decoder.max_allowed_table_size = max(limits.header_table, _FIRST_TABLE)
        self._encoder_watch = _TableWatch(self._encoder.header_table)
        self._decoder_watch = _TableWatch(self._decoder.header_table)
        self._blocks: dict[tuple[Header, ...], bytes] = {}
        self._lists: dict[bytes, list[Header]] = {}

    def peer_table(self, size: int) -> None:
        """The peer's HEADER_TABLE_SIZE: we use at most that, and at most our own limit.

        Of the sizes since the last block, the next one names the smallest and the last (RFC 7541 section 4.2): the peer
        has evicted down to the smallest, and refuses one in between that is over the last.
        """
        size = min(size, self._ceiling)
        if size == self._encoder.header_table_size:
            return  # the same size again would make the encoder forget the changes that it has not named yet
        self._encoder.header_table_size = size
        changes = self._encoder.table_size_changes
        smallest, last = min(changes), changes[-1]
        changes[:] = [smallest, last] if smallest < last else [last]
        self._blocks.clear()

    def own_table(self) -> None:
        """The peer acknowledged our HEADER_TABLE_SIZE: from its next block on it uses at most that (section 4.3.1)."""
        self._decoder.max_allowed_table_size = self._ceiling
        self._lists.clear()

    def encode(self, headers: Sequence[Header]) -> bytes:
        """The block for a list. It must go on the wire in the order of the calls."""
        key = tuple(headers)
        block = self._blocks.get(key)
        if block is not None:
            return block
        marked = [NeverIndexedHeaderTuple(*field) if field[0] in _NEVER_INDEXED else field for field in headers]
        block = self._encoder.encode(marked)
        if self._encoder_watch.changed():
            self._blocks.clear()
        elif len(block) <= _CACHE_BLOCK and len(self._blocks) < _CACHE_ENTRIES:
            self._blocks[key] = block
        return block

    def decode(self, block: bytes) -> list[Header]:
        """The list of a block, names and values as bytes. The list is not to be changed. Raises ConnectionFault."""
        headers = self._lists.get(block)
        if headers is not None:
            return headers
        _check_table_updates(block)
        try:
            headers = [(name, value) for name, value in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError as error:
            reason = f"header list over {self._decoder.max_header_list_size} bytes"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, reason, "max_header_list") from error
        except HPACKError as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "header block cannot be decoded") from error
        if self._decoder_watch.changed():
            self._lists.clear()
        elif len(block) <= _CACHE_BLOCK and len(self._lists) < _CACHE_ENTRIES:
            self._lists[block] = headers
        return headers


def _check_table_updates(block: bytes) -> None:
    """Raises ConnectionFault for more than two dynamic table size updates, the most that RFC 7541 section 4.2 allows.

    A whole block of them is legal to the decoder, costs it 4 us a byte, and leaves no field for the list limit to count.
    """
    pos, updates = 0, 0
    while block[pos : pos + 1] and block[pos] & 0xE0 == 0x20:
        updates += 1
        if updates > _MOST_TABLE_UPDATES:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "header block with more than two table size updates")
        if block[pos] & 0x1F == 0x1F:
            pos += 1
            while block[pos : pos + 1] and block[pos] & 0x80:
                pos += 1
        pos += 1


def list_size(headers: Sequence[Header]) -> int:
    """Size of a header list as RFC 9113 section 6.5.2 counts it."""
    return sum(32 + len(name) + len(value) for name, value in headers)

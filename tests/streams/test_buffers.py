from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pyopenshell.streams.buffers import COPY_BELOW, SHARED, ChunkQueue, ReceiveBuffer


def test_what_is_kept_is_never_filled_again() -> None:
    buffer = ReceiveBuffer(size=16, least=4)
    kept = []
    for number in range(1, 20):
        room = buffer.room()
        assert isinstance(room, memoryview)
        room[:3] = bytes((number,)) * 3
        kept.append(buffer.filled(3))
        buffer.keep(3)
    assert [bytes(piece) for piece in kept] == [bytes((number,)) * 3 for number in range(1, 20)]


def test_what_is_not_kept_is_used_again() -> None:
    buffer = ReceiveBuffer(size=16, least=4)
    first = buffer.room()
    first[:2] = b"ab"
    assert bytes(buffer.filled(2)) == b"ab"
    assert buffer.room().obj is first.obj
    assert len(buffer.room()) == 16


def test_room_is_never_less_than_promised() -> None:
    buffer = ReceiveBuffer(size=16, least=4)
    buffer.room()
    buffer.keep(12)
    assert len(buffer.room()) == 4
    buffer.keep(1)
    assert len(buffer.room()) == 16


def test_small_chunks_are_copied_together_and_large_ones_are_referenced() -> None:
    queue = ChunkQueue()
    source = bytearray(b"ab")
    assert not queue.push(memoryview(source), 2)
    source[:] = b"xx"
    assert not queue.push(memoryview(b"cd"), 5)
    large = memoryview(bytes(COPY_BELOW))
    assert queue.push(large, COPY_BELOW)
    assert not queue.push(memoryview(b"ef"), 2)
    assert (len(queue), queue.size) == (3, COPY_BELOW + 6)
    assert queue.pop() == (bytearray(b"abcd"), 7)
    assert queue.pop()[0] is large
    last, flow = queue.pop()
    assert (last, flow) == (b"ef", 2)
    assert not queue.push(memoryview(b"gh"), 2)
    assert last == b"ef"
    queue.clear()
    assert len(queue) == 0


def test_a_flood_of_tiny_chunks_takes_the_place_of_its_bytes() -> None:
    queue = ChunkQueue()
    for _ in range(COPY_BELOW * 2):
        queue.push(memoryview(b"x"), 1)
    assert len(queue) == 2


def test_with_a_larger_threshold_everything_is_copied() -> None:
    queue = ChunkQueue(copy_below=100_000)
    large = memoryview(bytes(90_000))
    assert not queue.push(large, 90_000)
    assert not queue.push(memoryview(b"x"), 1)
    assert [type(chunk) for chunk, _ in queue._chunks] == [bytearray, bytearray]


def test_each_thread_has_one_shared_buffer() -> None:
    mine = SHARED.buffer
    assert SHARED.buffer is mine
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: SHARED.buffer).result() is not mine

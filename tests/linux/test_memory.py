from __future__ import annotations

from pathlib import Path

from pyopenshell.linux import memory, process

from .conftest import in_child

SMAPS = """\
00400000-00420000 r-xp 00000000 fe:00 18710   /usr/bin/x
Rss:                 100 kB
Anonymous:             0 kB
VmFlags: rd ex mr
00420000-00430000 r-xp 00000000 fe:00 18710   /usr/bin/relocated
Anonymous:             4 kB
VmFlags: rd ex mr
00430000-00440000 rw-p 00000000 fe:00 18710   /usr/bin/written
Anonymous:             0 kB
VmFlags: rd wr
00440000-00450000 r--p 00000000 00:00 0
Anonymous:             0 kB
VmFlags: rd
00450000-00451000 ---p 00000000 fe:00 18710   /usr/bin/guard
Anonymous:             0 kB
VmFlags: mr
00451000-00453000 r--p 00001000 fe:00 18710   /usr/bin/last
Anonymous:             0 kB
VmFlags: rd mr
"""


def test_only_clean_mappings_of_files_are_found() -> None:
    assert memory.clean_mappings(SMAPS.splitlines()) == [(0x400000, 0x20000), (0x451000, 0x2000)]


def test_a_process_lives_on_with_less(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.write_bytes(bytes(8 * 1024 * 1024))

    def drop() -> list[int]:
        import mmap
        import os

        with open(library, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as read:
            assert read.find(b"no such text") == -1
            before = process.memory(os.getpid()).rss
            memory.give_back()
            return [before, process.memory(os.getpid()).rss, sum(range(1000))]

    before, after, alive = in_child(drop)
    assert after < before - 4 * 1024 * 1024
    assert alive == 499500


def test_freed_memory_of_the_heap_is_given_back() -> None:
    def trim() -> list[int]:
        import os

        pieces = [bytes(b"x" * 60_000) for _ in range(500)]
        last = bytes(b"x" * 60_000)  # keeps the heap's end in use, so that free() alone gives nothing back
        del pieces
        before = process.memory(os.getpid()).rss
        memory.trim()
        return [before, process.memory(os.getpid()).rss, len(last)]

    before, after, alive = in_child(trim)
    assert after < before - 10 * 1024 * 1024
    assert alive == 60_000

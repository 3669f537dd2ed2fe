from __future__ import annotations

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
    assert memory.clean_mappings(SMAPS) == [(0x400000, 0x20000), (0x451000, 0x2000)]


def test_a_process_lives_on_with_less() -> None:
    def drop() -> list[int]:
        import os

        before = process.memory(os.getpid()).rss
        memory.drop_clean_pages()
        return [before, process.memory(os.getpid()).rss, sum(range(1000))]

    before, after, alive = in_child(drop)
    assert after < before
    assert alive == 499500

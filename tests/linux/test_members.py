"""What a layer takes away; names that want out and what cannot be made are in test_trees.py."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.linux import members
from pyopenshell.linux.ids import single_ids

Entry = tuple[str, str]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that plays `/`."""
    real = members._inside

    def inside(name: str) -> str:
        path = real(name)
        return path if path == "/" else f"{tmp_path}{path}"

    monkeypatch.setattr(members, "_inside", inside)
    yield tmp_path


def lay(*entries: Entry, whiteouts: bool = True) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, text in entries:
            info = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            info.size = len(text)
            made.addfile(info, io.BytesIO(text.encode()))
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as archive:
        members.apply(archive, single_ids(os.geteuid(), os.getegid()), whiteouts=whiteouts)


def files(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


LOWER: tuple[Entry, ...] = (("d/old", "1"), ("d/sub/old", "1"), ("f", "1"))


def test_a_whiteout_takes_away_what_is_below(root: Path) -> None:
    lay(*LOWER)
    lay((".wh.f", ""), ("d/.wh.sub", ""), ("d/.wh.none", ""))
    assert files(root) == {"d/old": "1"}


@pytest.mark.parametrize("first", [True, False])
def test_an_opaque_directory_keeps_what_its_own_layer_has_whatever_the_order(root: Path, first: bool) -> None:
    lay(*LOWER)
    opaque, own = ("d/.wh..wh..opq", ""), (("d/new", "2"), ("d/sub/new", "2"))
    lay(*((opaque, *own) if first else (*own, opaque)))
    assert files(root) == {"d/new": "2", "d/sub/new": "2", "f": "1"}


def test_a_directory_that_is_taken_away_and_made_anew_has_nothing_old(root: Path) -> None:
    lay(*LOWER)
    lay(("d/", ""), ("d/new", "2"), (".wh.d", ""), ("f", "2"), (".wh.f", ""))
    assert files(root) == {"d/new": "2", "f": "2"}


def test_a_link_that_a_layer_made_is_no_directory_to_look_into(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    prey = tmp_path_factory.mktemp("prey")
    (prey / "kept").touch()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(prey)
        made.addfile(link)
        made.addfile(tarfile.TarInfo(".wh.out"))
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as archive:
        members.apply(archive, single_ids(), whiteouts=True)
    assert (root / "out").is_symlink()
    assert (prey / "kept").exists()


def test_in_a_plain_tree_a_whiteout_is_a_file(root: Path) -> None:
    lay(("f", "1"), (".wh.f", ""), whiteouts=False)
    assert set(files(root)) == {"f", ".wh.f"}

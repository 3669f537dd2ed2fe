"""Copies of directories that cannot be mapped: on real file systems, of hostile trees, on a full disk."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import copies, syscalls
from pyopenshell.linux.ids import range_ids

from .conftest import BASE, IS_ROOT, in_child, remove

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root has ranges of ids")
IDS = range_ids(BASE)
MIB = 1024 * 1024


@pytest.fixture
def place(mounts_before: None) -> Iterator[Path]:
    path = Path(f"/var/tmp/pyopenshell-copy-{os.getpid()}")
    (path / "source").mkdir(parents=True)
    yield path
    remove(str(path))


def copy(place: Path) -> Path:
    in_child(lambda: copies.copy(str(place / "source"), str(place / "copy"), IDS))
    return place / "copy"


def on(kind: str, place: Path, work: Callable[[], object]) -> object:
    """Work with a fresh file system of this kind mounted at `source`, in a mount namespace of its own."""

    def mounted() -> object:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        options = ""
        if kind == "overlay":
            for name in ("below", "upper", "work"):
                (place / name).mkdir()
            options = f"lowerdir={place}/below,upperdir={place}/upper,workdir={place}/work"
        syscalls.mount(kind, str(place / "source"), kind, 0, options)
        return work()

    return in_child(mounted)


def test_what_can_be_mapped_is_not_copied(place: Path) -> None:
    assert copies.why_not_as_it_is(str(place / "source"), IDS) == ""


@pytest.mark.parametrize("kind", ["ramfs", "overlay"])
def test_a_file_system_that_cannot_map_ids_is_known_and_copied(place: Path, kind: str) -> None:
    def work() -> list[object]:
        (place / "source" / "file").write_text("text")
        os.chown(place / "source" / "file", 33, 34)
        why = copies.why_not_as_it_is(str(place / "source"), IDS)
        copies.copy(str(place / "source"), str(place / "copy"), IDS)
        return [why]

    assert on(kind, place, work) == ["mount_setattr: Invalid argument on " + repr(str(place / "source"))]
    status = (place / "copy" / "file").stat()
    assert (status.st_uid, status.st_gid) == (BASE + 33, BASE + 34)
    assert (place / "copy" / "file").read_text() == "text"


@pytest.mark.parametrize(("number", "told"), [(errno.EINVAL, True), (errno.EPERM, True), (errno.EIO, False)])
def test_an_overlay_that_takes_no_mapped_mount_is_a_reason_too(
    place: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: bool
) -> None:
    real = syscalls.mount

    def refuse(source: str | None, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
        if kind == "overlay":
            raise OSError(number, f"mount: {os.strerror(number)}")
        real(source, target, kind, flags, options)

    monkeypatch.setattr(syscalls, "mount", refuse)
    if told:
        assert copies.why_not_as_it_is(str(place / "source"), IDS) == f"mount: {os.strerror(number)}"
    else:
        with pytest.raises(OSError, match="Input/output error"):
            copies.why_not_as_it_is(str(place / "source"), IDS)


def test_everything_of_a_tree_is_kept(place: Path) -> None:
    source = place / "source"
    (source / "d/inner").mkdir(parents=True)
    (source / "d/inner/f").write_bytes(b"x" * 3 * MIB)
    os.link(source / "d/inner/f", source / "hard")
    os.symlink("/etc/passwd", source / "link")
    os.symlink("nowhere", source / "d/dangling")
    os.link(source / "link", source / "link2", follow_symlinks=False)
    os.mkfifo(source / "fifo", 0o640)
    (source / "odd\n\udcff").write_text("")
    for path, uid, mode in (("d/inner/f", 1000, 0o4711), ("d/inner", 5, 0o2750), ("d", 70_000, 0o700), (".", 7, 0o755)):
        os.chown(source / path, uid, uid)
        (source / path).chmod(mode)
        os.utime(source / path, ns=(1_000_000_001, 2_000_000_003))
    made = copy(place)
    found = {str(path.relative_to(made)) for path in made.rglob("*")}
    assert found == {str(path.relative_to(source)) for path in source.rglob("*")}
    status = (made / "hard").stat()
    assert status.st_ino == (made / "d/inner/f").stat().st_ino
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777, status.st_mtime_ns) == (
        BASE + 1000,
        BASE + 1000,
        0o4711,
        2_000_000_003,
    )
    assert (made / "hard").read_bytes() == b"x" * 3 * MIB
    assert ((made / "d/inner").stat().st_mode & 0o7777, (made / "d/inner").stat().st_mtime_ns) == (
        0o2750,
        2_000_000_003,
    )
    assert (made / "d").stat().st_uid == BASE + 65534  # an id that no sandbox has is nobody
    assert (made.stat().st_uid, made.stat().st_mode & 0o7777) == (BASE + 7, 0o755)
    assert os.readlink(made / "link") == "/etc/passwd"
    assert (made / "link").lstat().st_uid == BASE
    assert (made / "link").lstat().st_ino == (made / "link2").lstat().st_ino
    assert stat.S_ISFIFO((made / "fifo").lstat().st_mode)
    assert (made / "fifo").stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize(
    ("holes", "size"), [([], 0), ([(MIB, b"a")], 3 * MIB), ([(0, b"b"), (2 * MIB, b"c")], 2 * MIB + 1)]
)
def test_holes_stay_holes(place: Path, holes: list[tuple[int, bytes]], size: int) -> None:
    with (place / "source/f").open("wb") as file:
        for at, data in holes:
            file.seek(at)
            file.write(data)
        file.truncate(size)
    made = copy(place) / "f"
    assert made.read_bytes() == (place / "source/f").read_bytes()
    assert made.stat().st_blocks <= (place / "source/f").stat().st_blocks


def test_a_file_that_shrinks_while_it_is_copied_has_its_old_length(place: Path) -> None:
    source, made = place / "source/f", place / "source/g"
    source.write_bytes(b"x" * 10)
    with source.open("rb") as reading, made.open("wb") as writing:
        copies._copy_data(reading.fileno(), writing.fileno(), 20)
    assert made.read_bytes() == b"x" * 10 + b"\0" * 10


def special(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "talk"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: special(folder), "'in/talk' of the source is a socket"),
        (lambda folder: os.mknod(folder / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3)), "'in/null' .* is a device"),
        (lambda folder: os.mknod(folder / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 0)), "'in/disk' .* is a device"),
    ],
)
def test_sockets_and_devices_are_refused_by_name(place: Path, make: Callable[[Path], None], words: str) -> None:
    (place / "source/in").mkdir()
    make(place / "source/in")
    with pytest.raises(OpenShellError, match=words) as caught:
        copies.copy(str(place / "source"), str(place / "copy"), IDS)
    assert caught.value.code is Code.INVALID
    assert not (place / "copy").exists()


def test_what_becomes_a_device_meanwhile_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mknod(place / "source/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    monkeypatch.setattr(copies, "_size", lambda *_: 0)
    with pytest.raises(OpenShellError, match="has become what cannot be copied"):
        copies.copy(str(place / "source"), str(place / "copy"), IDS)


@pytest.mark.parametrize(("depth", "fine"), [(copies.DEPTH_MAX, True), (copies.DEPTH_MAX + 1, False)])
def test_depth_has_a_limit(place: Path, depth: int, fine: bool) -> None:
    (place / "source" / "/".join(["d"] * depth)).mkdir(parents=True)
    if fine:
        assert (copy(place) / "/".join(["d"] * depth)).is_dir()
    else:
        with pytest.raises(OpenShellError, match="more than 256 directories"):
            copies.copy(str(place / "source"), str(place / "copy"), IDS)


def test_nothing_behind_a_link_or_another_mount_is_copied(place: Path) -> None:
    (place / "prey").mkdir()
    (place / "prey/secret").write_text("host")
    os.symlink(place / "prey", place / "source/out")
    (place / "source/mounted").mkdir()

    def work() -> None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount(str(place / "prey"), str(place / "source/mounted"), None, 4096)  # MS_BIND, mount(2)
        copies.copy(str(place / "source"), str(place / "copy"), IDS)

    in_child(work)
    assert (place / "copy/out").is_symlink()
    assert list((place / "copy/mounted").iterdir()) == []


def test_a_copy_that_has_no_room_is_not_begun(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "source/f").write_bytes(b"x" * MIB)
    os.link(place / "source/f", place / "source/g")  # counts once

    def room(blocks: int) -> Callable[[str], os.statvfs_result]:
        return lambda _path: os.statvfs_result((4096, 4096, 0, 0, blocks, 0, 0, 0, 0, 255))

    monkeypatch.setattr(os, "statvfs", room(MIB // 4096 - 1))
    with pytest.raises(OpenShellError, match=f"takes {MIB} bytes, and .* has {MIB - 4096} left") as caught:
        copies.copy(str(place / "source"), str(place / "copy"), IDS)
    assert caught.value.code is Code.EXHAUSTED
    assert not (place / "copy").exists()
    monkeypatch.setattr(os, "statvfs", room(MIB // 4096))
    copies.copy(str(place / "source"), str(place / "copy"), IDS)


def test_a_disk_that_is_full_sooner_than_it_said_is_an_error(place: Path) -> None:
    (place / "source/f").write_bytes(b"x" * 2 * MIB)

    def work() -> int:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        (place / "small").mkdir()
        syscalls.mount("small", str(place / "small"), "tmpfs", 0, "size=1m")
        copies._check_room = lambda *_: None  # type: ignore[assignment]
        try:
            copies.copy(str(place / "source"), str(place / "small/copy"), IDS)
        except OSError as failure:
            return failure.errno or 0
        return 0

    assert in_child(work) == errno.ENOSPC

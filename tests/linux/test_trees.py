"""Archives that want out of their tree stay in it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import members, trees
from pyopenshell.linux.ids import Ids, range_ids, single_ids

from .conftest import BASE, IS_ROOT, NOBODY, in_child, remove

Entry = tuple[str, bytes, str]  # name, type, content or link


@pytest.fixture
def place(who: str, mounts_before: None) -> Iterator[Path]:
    path = Path(f"/var/tmp/pyopenshell-unpack-{os.getpid()}-{who}")
    path.mkdir()
    if who == "user" and IS_ROOT:
        os.chown(path, NOBODY, NOBODY)
    yield path
    remove(str(path))


def tar(entries: list[Entry], mode: int = 0o755, uid: int = 0) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        for name, kind, text in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.mtime = kind, mode, uid, uid, 1_000_000_000
            if kind == tarfile.REGTYPE:
                info.size = len(text)
                made.addfile(info, io.BytesIO(text.encode()))
            else:
                info.linkname = text
                made.addfile(info)
    return buffer.getvalue()


def names(who: str) -> Ids:
    return range_ids(BASE) if who == "root" else single_ids()


def unpack(place: Path, who: str, data: bytes) -> Path:
    archive = place / "image.tar"
    archive.write_bytes(data)
    archive.chmod(0o644)
    in_child(lambda: trees.unpack(str(archive), str(place / "tree"), names(who)), who)
    return place / "tree"


FILE, LINK, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


def test_a_tree_has_the_files_modes_and_times(place: Path, who: str) -> None:
    entries = [
        ("./", FOLDER, ""),
        ("a/b", FOLDER, ""),
        ("a/b/f", FILE, "text"),
        ("l", LINK, "a/b/f"),
        ("h", HARD, "a/b/f"),
    ]
    tree = unpack(place, who, tar(entries, mode=0o750))
    assert (tree / "a/b/f").read_text() == "text"
    assert os.readlink(tree / "l") == "a/b/f"
    status = (tree / "h").stat()
    assert (status.st_ino, status.st_mode & 0o7777, status.st_mtime) == (
        (tree / "a/b/f").stat().st_ino,
        0o750,
        1_000_000_000,
    )


def test_files_belong_to_the_sandboxs_ids(place: Path, who: str) -> None:
    tree = unpack(place, who, tar([("f", FILE, ""), ("g", FILE, "")], uid=33))
    owner = (tree / "f").stat().st_uid
    assert owner == (BASE + 33 if who == "root" else NOBODY if IS_ROOT else os.geteuid())
    assert tree.stat().st_uid == (BASE if who == "root" else NOBODY if IS_ROOT else os.geteuid())


def test_an_id_that_is_not_mapped_is_roots(place: Path, who: str) -> None:
    assert (
        (unpack(place, who, tar([("f", FILE, "")], uid=2_000_000)) / "f").stat().st_uid
        == names(who).host_uid(names(who).init_uid)
        or not IS_ROOT
        or who == "user"
    )


@pytest.mark.parametrize(
    "entries",
    [
        [("../../escape", FILE, "x")],
        [("/{prey}/escape", FILE, "x")],
        [("out", LINK, "{prey}"), ("out/escape", FILE, "x")],
        [("out", LINK, "../../../../../../{prey}"), ("out/escape", FILE, "x")],
        [("a", FOLDER, ""), ("a/out", LINK, "/"), ("a/out/{prey}/escape", FILE, "x")],
        [("f", LINK, "{prey}/passwd"), ("f", FILE, "x")],
        [("out", LINK, "{prey}"), ("out/passwd", LINK, "x")],
    ],
    ids=["dots", "absolute", "link", "relative link", "link to root", "file over link", "link in link"],
)
def test_nothing_gets_out(place: Path, who: str, entries: list[Entry]) -> None:
    prey = place / "prey"
    prey.mkdir()
    (prey / "passwd").write_text("host")
    prey.chmod(0o777)
    filled = [(name.format(prey=prey), kind, text.format(prey=prey)) for name, kind, text in entries]
    try:
        unpack(place, who, tar(filled))
    except AssertionError:
        pass  # refused is as good: what counts is what is outside
    assert [path.name for path in prey.iterdir()] == ["passwd"]
    assert (prey / "passwd").read_text() == "host"
    assert not (place / "escape").exists()
    assert not (place.parent / "escape").exists()


def test_a_hard_link_to_the_outside_is_no_link(place: Path, who: str) -> None:
    with pytest.raises(AssertionError, match="No such file"):
        unpack(place, who, tar([("x", HARD, "/etc/hostname-of-the-host"), ("y", HARD, "/etc/passwd")]))


def test_devices_are_left_out(place: Path, who: str) -> None:
    tree = unpack(
        place, who, tar([("null", tarfile.CHRTYPE, ""), ("disk", tarfile.BLKTYPE, ""), ("fifo", tarfile.FIFOTYPE, "")])
    )
    assert [path.name for path in tree.iterdir()] == ["fifo"]


def layout(parts: list[bytes]) -> dict[str, bytes]:
    """The files of an OCI layout with these layers."""
    members: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def add(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        members[f"blobs/sha256/{digest}"] = data
        return f"sha256:{digest}"

    manifest = add(json.dumps({"layers": [{"digest": add(part)} for part in parts]}).encode())
    members["index.json"] = json.dumps({"manifests": [{"digest": manifest}]}).encode()
    return members


def oci(parts: list[bytes]) -> bytes:
    """The same as a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in layout(parts).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_layers_lie_on_each_other_and_take_files_away(place: Path, who: str) -> None:
    first = tar(
        [("keep", FILE, "1"), ("gone", FILE, "1"), ("d/old", FILE, "1"), ("d/older", FILE, "1"), ("changed", FILE, "1")]
    )
    second = tar([(".wh.gone", FILE, ""), ("d/.wh..wh..opq", FILE, ""), ("d/new", FILE, "2"), ("changed", FOLDER, "")])
    tree = unpack(place, who, oci([first, second]))
    assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*")) == ["changed", "d", "d/new", "keep"]
    assert (tree / "changed").is_dir()


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_layout_may_be_a_directory_that_only_its_owner_reads(place: Path, who: str, mode: int) -> None:
    first = tar([("keep", FILE, "1"), ("gone", FILE, "1")])
    second = tar([(".wh.gone", FILE, ""), ("new", FILE, "2")])
    root = place / "layout"
    for name, data in layout([first, second]).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        (root / name).chmod(mode & 0o666)
        if who == "user" and IS_ROOT:
            os.chown(root / name, NOBODY, NOBODY)
    for folder in (root, root / "blobs", root / "blobs/sha256"):
        folder.chmod(mode)
        if who == "user" and IS_ROOT:
            os.chown(folder, NOBODY, NOBODY)
    in_child(lambda: trees.unpack(str(root), str(place / "tree"), names(who)), who)
    assert sorted(path.name for path in (place / "tree").iterdir()) == ["keep", "new"]
    blob = max((root / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes() + b"x")
    with pytest.raises(AssertionError, match="is damaged"):
        in_child(lambda: trees.unpack(str(root), str(place / "again"), names(who)), who)


def test_a_whiteout_in_a_plain_tree_is_a_file(place: Path, who: str) -> None:
    assert (unpack(place, who, tar([("f", FILE, ""), (".wh.f", FILE, "")])) / ".wh.f").exists()


@pytest.mark.parametrize("damage", [lambda data: data[:40], lambda data: b"not a tar at all", lambda data: data[:-30]])
def test_what_is_no_archive_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    (tmp_path / "image").write_bytes(damage(tar([("f", FILE, "x" * 100_000)])))
    with pytest.raises(OpenShellError, match="the archive cannot be read") as caught:
        trees.unpack(str(tmp_path / "image"), str(tmp_path / "tree"), names("root" if IS_ROOT else "user"))
    assert caught.value.code is Code.INVALID
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, words in ((str(tmp_path), "no OCI layout"), ("/dev/null", "neither a tar file nor an OCI layout")):
        with pytest.raises(OpenShellError, match=words) as caught:
            trees.unpack(path, str(tmp_path / "tree"), names("root" if IS_ROOT else "user"))
        assert caught.value.code is Code.INVALID
    with pytest.raises(FileNotFoundError):
        trees.unpack(str(tmp_path / "none"), str(tmp_path / "tree"), names("root" if IS_ROOT else "user"))
    assert not (tmp_path / "tree").exists()


def test_members_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = names("root" if IS_ROOT else "user")
    (tmp_path / "image").write_bytes(tar([("a", FILE, ""), ("b", FILE, "")]))
    monkeypatch.setattr(members, "MEMBERS_MAX", 2)
    trees.unpack(str(tmp_path / "image"), str(tmp_path / "tree"), chosen)
    monkeypatch.setattr(members, "MEMBERS_MAX", 1)
    with pytest.raises(OpenShellError, match="more than 1 members"):
        trees.unpack(str(tmp_path / "image"), str(tmp_path / "other"), chosen)


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz"])
def test_a_layer_cannot_bring_the_modules_that_unpack_the_next_one(tmp_path: Path, compression: str) -> None:
    folders = sorted(path.strip("/") for path in sys.path if path.startswith("/"))
    mark = "raise SystemExit('a module of the image was loaded')"
    traps = [
        (f"{path}/{name}.py", FILE, mark) for path in folders for name in ("gzip", "bz2", "lzma", "encodings/idna")
    ]
    last = io.BytesIO()
    with tarfile.open(fileobj=last, mode=f"w:{compression}") as layer:
        layer.addfile(tarfile.TarInfo("last"))
    script = (
        "import sys; from pyopenshell.linux import trees; from pyopenshell.linux.ids import range_ids, single_ids;"
        "trees.unpack(sys.argv[1], sys.argv[2], range_ids(int(sys.argv[3])) if int(sys.argv[3]) else single_ids())"
    )
    archive = tmp_path / "image.tar"
    archive.write_bytes(oci([plain(traps), last.getvalue()]))
    base = str(BASE if IS_ROOT else 0)
    command = [
        sys.executable,
        "-c",
        script,
        str(archive),
        str(tmp_path / "tree"),
        base,
    ]  # a process that imported little
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "tree" / "last").exists()


def plain(entries: list[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, _, text in entries:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            made.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()

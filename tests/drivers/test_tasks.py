from __future__ import annotations

import io
import os
import socket
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.drivers import tasks
from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.configs import TaskConfig
from pyopenshell.drivers.files import SandboxFiles
from pyopenshell.drivers.zygote import Zygote
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.ids import RANGE_FIRST, Shape, candidates
from pyopenshell.model import SandboxSpec, new_id

pytestmark = pytest.mark.e2e
IDS = candidates(RANGE_FIRST)[0]


@pytest.fixture
async def zygote(tmp_path: Path) -> AsyncIterator[Zygote]:
    made = Zygote(tmp_path / "log")
    yield made
    await made.gone()


def in_tmp() -> set[str]:
    return {path.name for path in Path("/tmp").iterdir()}


def birth(source: str) -> Birth:
    return Birth(new_id(), "web", SandboxSpec(source), "", "", "/s", RANGE_FIRST)


def archive(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"ok"))
    return path


async def test_an_archive_becomes_the_image_once(zygote: Zygote, tmp_path: Path) -> None:
    made = birth(f"tar:{archive(tmp_path / 'a.tar', 'etc/hi', '../../out')}")
    files = SandboxFiles.of(tmp_path, made.sandbox_id)
    files.make(IDS)
    files.image.with_suffix(".partial").mkdir()
    assert await tasks.source(zygote, made, files, IDS) == str(files.image)
    assert (files.image / "etc/hi").read_text() == "ok"
    assert (files.image / "out").exists()
    assert not (tmp_path / "out").exists()
    assert (files.image / "etc/hi").stat().st_uid == IDS.host_uid(IDS.init_uid)
    before = files.image.stat().st_ino
    assert await tasks.source(zygote, made, files, IDS) == str(files.image)
    assert files.image.stat().st_ino == before
    await tasks.remove(zygote, files.directory, IDS)
    assert not files.directory.exists()


async def test_directories_without_permissions_are_removed(zygote: Zygote, tmp_path: Path) -> None:
    inner = tmp_path / "sandbox" / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.chmod(0)
    inner.parent.chmod(0)
    await tasks.remove(zygote, tmp_path / "sandbox", IDS)
    assert not (tmp_path / "sandbox").exists()


@pytest.mark.skipif(IDS.shape is not Shape.RANGE, reason="only root has ranges of ids")
async def test_a_directory_that_cannot_be_mapped_is_copied_once(
    zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "f").write_text("1")
    made = birth(f"dir:{tree}")
    files = SandboxFiles.of(tmp_path, made.sandbox_id)
    files.make(IDS)
    asked = refuse_mounts(monkeypatch)
    assert await tasks.source(zygote, made, files, IDS) == str(files.image)
    assert (files.image / "f").stat().st_uid == IDS.host_uid(0)
    (tree / "f").write_text("2")
    assert await tasks.source(zygote, made, files, IDS) == str(files.image)
    assert (files.image / "f").read_text() == "1"
    assert asked == ["try mount", "copy"]


@pytest.mark.skipif(IDS.shape is not Shape.RANGE, reason="only root has ranges of ids")
async def test_a_copy_that_fails_leaves_nothing(
    zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tree / "talk"))
    made = birth(f"dir:{tree}")
    files = SandboxFiles.of(tmp_path, made.sandbox_id)
    files.make(IDS)
    refuse_mounts(monkeypatch)
    with pytest.raises(OpenShellError, match="'talk' of the source is a socket") as caught:
        await tasks.source(zygote, made, files, IDS)
    assert caught.value.code is Code.INVALID
    assert {path.name for path in files.directory.iterdir()} == {"run"}


def refuse_mounts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A file system without mapped ids; the works that were asked for."""
    real, asked = tasks._run, []

    async def run(zygote: Zygote, task: TaskConfig, timeout: float | None) -> dict[str, object]:
        asked.append(task.work)
        return {"because": "Invalid argument"} if task.work == "try mount" else await real(zygote, task, timeout)

    monkeypatch.setattr(tasks, "_run", run)
    return asked


async def test_an_image_that_is_half_unpacked_is_removed(zygote: Zygote, tmp_path: Path) -> None:
    archive(tmp_path / "a.tar", "first", "second")
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[:1537])  # of the second file the second byte is missing
    made = birth(f"tar:{tmp_path / 'a.tar'}")
    files = SandboxFiles.of(tmp_path, made.sandbox_id)
    files.make(IDS)
    with pytest.raises(OpenShellError):
        await tasks.source(zygote, made, files, IDS)
    assert {path.name for path in files.directory.iterdir()} == {"run"}


async def test_other_sources_are_taken_as_they_are(zygote: Zygote, tmp_path: Path) -> None:
    files = SandboxFiles.of(tmp_path, new_id())
    assert await tasks.source(zygote, birth(""), files, IDS) == ""
    assert await tasks.source(zygote, birth(f"dir:{tmp_path}"), files, IDS) == str(tmp_path)


async def test_a_broken_archive_is_invalid(zygote: Zygote, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no archive")
    made = birth(f"tar:{tmp_path / 'a.tar'}")
    files = SandboxFiles.of(tmp_path, made.sandbox_id)
    files.make(IDS)
    with pytest.raises(OpenShellError) as caught:
        await tasks.source(zygote, made, files, IDS)
    assert caught.value.code is Code.INVALID
    assert not files.image.exists()


async def test_a_probe_leaves_nothing(zygote: Zygote) -> None:
    before = in_tmp()
    facts = await tasks.probe(zygote, IDS)
    assert facts["isolation"] == IDS.shape.value
    assert {name for name in in_tmp() - before if name.startswith("openshell-probe")} == set()


async def test_the_shape_is_found_in_a_fork_of_the_zygote(zygote: Zygote) -> None:
    assert await tasks.shape(zygote, RANGE_FIRST) == (IDS, "")

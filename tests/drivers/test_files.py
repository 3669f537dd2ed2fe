from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pyopenshell.drivers.files import SandboxFiles, check_source
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.ids import candidates
from pyopenshell.model import SandboxSpec, new_id


@pytest.fixture
def files(tmp_path: Path) -> SandboxFiles:
    return SandboxFiles.of(tmp_path, new_id())


@pytest.mark.parametrize("name", ["", "..", "web", "../../etc", "0B4F0C1E-6D3B-4A6E-9C58-1F2E3D4C5B6A"])
def test_only_a_canonical_id_names_a_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        SandboxFiles.of(tmp_path, name)
    assert caught.value.code is Code.INVALID


def test_directories_are_made_twice_with_their_modes(files: SandboxFiles) -> None:
    old = os.umask(0)
    try:
        files.make(candidates(0x90000)[0])
        files.make(candidates(0x90000)[0])
    finally:
        os.umask(old)
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o711
    run = files.run.stat()
    assert stat.S_IMODE(run.st_mode) == 0o700
    assert run.st_uid == (0x90000 + 65536 if os.geteuid() == 0 else os.geteuid())


def test_the_last_words_of_a_log(files: SandboxFiles) -> None:
    assert (files.last_words("init"), files.log_size("init")) == ("", 0)
    files.make(candidates(0x90000)[0])
    log = files.open_log("init")
    os.write(log, b"old\n")
    since = files.log_size("init")
    assert files.last_words("init", since) == ""
    os.write(log, b"first\n\x1b[31mla\xffst\n")
    os.close(log)
    assert files.last_words("init", since) == "[31mla\ufffdst"
    assert stat.S_IMODE((files.directory / "init.log").stat().st_mode) == 0o600


def test_a_log_is_no_link(files: SandboxFiles, tmp_path: Path) -> None:
    files.make(candidates(0x90000)[0])
    (files.directory / "init.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        files.open_log("init")


def test_sources(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert check_source(SandboxSpec()) == ("", "")
    assert check_source(SandboxSpec(f"dir:{tmp_path}")) == ("dir", str(tmp_path))
    assert check_source(SandboxSpec(f"tar:{tmp_path}/file")) == ("image", f"{tmp_path}/file")


def test_a_directory_that_is_an_image_layout_is_an_image(tmp_path: Path) -> None:
    mark = tmp_path / "oci-layout"
    mark.mkdir()
    assert check_source(SandboxSpec(f"dir:{tmp_path}")) == ("dir", str(tmp_path))
    mark.rmdir()
    for text, kind in (("{}", "dir"), ("hello", "dir"), ('{"imageLayoutVersion": "1.0.0"}', "image")):
        mark.write_text(text)
        assert check_source(SandboxSpec(f"dir:{tmp_path}")) == (kind, str(tmp_path))
    assert check_source(SandboxSpec(f"tar:{tmp_path}")) == ("image", str(tmp_path))
    mark.write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(OpenShellError, match=r"has version '2\.0\.0'") as caught:
        check_source(SandboxSpec(f"dir:{tmp_path}"))
    assert caught.value.code is Code.INVALID


def test_the_tree_of_a_sandbox_is_its_own_where_it_has_one(tmp_path: Path) -> None:
    files = SandboxFiles.of(tmp_path, new_id())
    assert (files.tree(""), files.tree("dir:/a:b")) == ("", "/a:b")
    files.image.mkdir(parents=True)
    assert files.tree("dir:/a:b") == files.tree("tar:/a") == str(files.image)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("debian", Code.INVALID),
        ("dir:relative", Code.INVALID),
        ("dir:/a\0b", Code.INVALID),
        ("oci:/x", Code.INVALID),
        ("dir:/no/such", Code.NOT_FOUND),
        ("tar:/no/such", Code.NOT_FOUND),
        ("dir:/etc/passwd", Code.INVALID),
        ("tar:/dev/null", Code.INVALID),
    ],
)
def test_sources_that_cannot_be_used(source: str, code: Code) -> None:
    with pytest.raises(OpenShellError) as caught:
        check_source(SandboxSpec(source))
    assert caught.value.code is code

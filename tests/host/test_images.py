from __future__ import annotations

from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.images import Images


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "images/web").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "images/out").symlink_to(tmp_path / "secret")
    (tmp_path / "images/latest").symlink_to("web")
    (tmp_path / "images/loop").symlink_to("loop")
    return tmp_path


def test_what_is_below_is_found_where_it_leads(tree: Path) -> None:
    images = Images([tree / "images"])
    assert images.find("") == ""
    assert images.find(f"dir:{tree}/images/latest") == f"dir:{tree}/images/web"
    assert images.find(f"tar:{tree}/images/../images/web") == f"tar:{tree}/images/web"


@pytest.mark.parametrize("path", ["secret", "images/out", "images/../secret", "images-too", "images/../missing"])
def test_what_leads_elsewhere_is_refused(tree: Path, path: str) -> None:
    (tree / "images-too").mkdir()
    with pytest.raises(OpenShellError, match="not below") as caught:
        Images([tree / "images"]).find(f"dir:{tree}/{path}".replace("images/../missing", "missing"))
    assert caught.value.code is Code.PRECONDITION


@pytest.mark.parametrize("path", ["images/none", "images/loop"])
def test_what_is_not_there_is_said(tree: Path, path: str) -> None:
    with pytest.raises(OpenShellError, match="not there on this host") as caught:
        Images([tree / "images"]).find(f"dir:{tree}/{path}")
    assert caught.value.code is Code.NOT_FOUND


def test_without_directories_nothing_is_allowed(tree: Path) -> None:
    for path in (f"dir:{tree}/images/web", "dir:/missing", "dir:/a\0b"):
        with pytest.raises(OpenShellError, match="makes no sandboxes of paths") as caught:
            Images().find(path)
        assert caught.value.code is Code.PRECONDITION


def test_a_running_sandbox_keeps_its_source(tree: Path) -> None:
    assert Images.follow(f"dir:{tree}/images/latest") == f"dir:{tree}/images/web"
    assert Images.follow("") == ""


def test_what_is_no_directory_is_refused(tree: Path) -> None:
    (tree / "file").touch()
    for name in ("missing", "file", "images/loop"):
        with pytest.raises(OpenShellError, match="is not a directory"):
            Images([tree / name])

"""The last used sandbox: remembered by gateway, forgotten when deleted, and never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.last_used import LastUsed
from pyopenshell.sdk.paths import Paths


def test_remember_and_forget(paths: Paths) -> None:
    last = LastUsed(paths)
    assert last.get("one") == ""
    last.set("one", "web")
    last.set("two", "db")
    assert (LastUsed(paths).get("one"), LastUsed(paths).get("two")) == ("web", "db")
    last.forget("one", "other")
    assert last.get("one") == "web"
    last.forget("one", "web")
    assert (last.get("one"), last.get("two")) == ("", "db")


def test_the_same_again_writes_nothing(paths: Paths) -> None:
    last = LastUsed(paths)
    last.set("one", "web")
    before = (paths.state / "last_used.json").stat().st_ino
    last.set("one", "web")
    assert (paths.state / "last_used.json").stat().st_ino == before


@pytest.mark.parametrize("text", ["", "[]", "{", '{"one": 1}', "\x00"])
def test_a_broken_file_is_an_empty_one(paths: Paths, text: str) -> None:
    last = LastUsed(paths)
    last.set("one", "web")
    (paths.state / "last_used.json").write_text(text)
    assert last.get("one") == ""
    last.set("one", "db")
    assert last.get("one") == "db"


def test_a_disk_that_refuses_is_no_error(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise OpenShellError(Code.EXHAUSTED, "full")

    monkeypatch.setattr("pyopenshell.sdk.last_used.write_private", refuse)
    LastUsed(paths).set("one", "web")

"""Where a local gateway listens: asked, kept, and what differs."""

from __future__ import annotations

import pytest

from pyopenshell.errors import OpenShellError
from pyopenshell.sdk.opening import Opening, is_open


def test_what_is_asked_for() -> None:
    assert Opening.asked("", (), 7) == Opening("", 7)
    assert Opening.asked("0.0.0.0:17670", ["lab"], None) == Opening("0.0.0.0", 17670, ("lab",))
    assert Opening.asked("::", (), 7) == Opening("::", 7)
    assert Opening.asked("127.0.0.1:7", (), 7).port == 7
    with pytest.raises(OpenShellError, match="--bind says port 8 and --port says 7"):
        Opening.asked("127.0.0.1:8", (), 7)
    with pytest.raises(OpenShellError, match="nowhere to listen"):
        Opening.asked("lab", (), None)


def test_it_is_kept_and_read_again() -> None:
    asked = Opening("0.0.0.0", 17670, ("lab", "192.0.2.1"))
    assert Opening.kept(asked.fields) == Opening("0.0.0.0", None, asked.names)
    assert Opening().fields == {} and Opening.kept({}) == Opening()
    for rubbish in ({"bind": 7, "san": "x"}, {"bind": "x", "san": [7, None]}, {"bind": None}):
        assert Opening.kept(rubbish) == Opening()


def test_what_is_not_said_stays() -> None:
    kept = Opening("0.0.0.0", None, ("lab",))
    assert Opening().over(kept) == kept
    assert Opening("127.0.0.1", 7).over(kept) == Opening("127.0.0.1", 7, ("lab",))


def test_what_differs_is_told() -> None:
    kept = Opening("0.0.0.0", None, ("lab",))
    assert Opening().differs(kept) == kept.differs(kept) == Opening("127.0.0.1").differs(Opening()) == ""
    assert Opening("127.0.0.1").differs(kept) == "at 0.0.0.0"
    assert Opening("0.0.0.0").differs(Opening()) == "at 127.0.0.1"
    assert Opening(names=("two",)).differs(kept) == "with the names lab"
    assert Opening(names=("two",)).differs(Opening()) == "without further names"


def test_flags() -> None:
    assert Opening("::", 7, ("a", "b")).flags == ["--bind", "[::]", "--san", "a", "--san", "b"]
    assert Opening().flags == []


def test_open_is_what_others_reach() -> None:
    assert [is_open(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [False] * 4
    assert [is_open(host) for host in ("0.0.0.0", "::", "192.0.2.1", "lab")] == [True] * 4

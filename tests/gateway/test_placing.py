"""Placement as a table: what is wished, which hosts there are, where it goes or why it cannot."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.placing import Candidate, choose
from pyopenshell.model import Placement

ANY = Placement()
A = Candidate("a")
B = Candidate("b", sandboxes=1, labels={"zone": "b", "disk": "ssd"})
JOINED = Candidate("laptop", joined=True)
AWAY = Candidate("away", connected=False)
DRAINING = Candidate("old", draining=True)
FULL = Candidate("full", sandboxes=2, max_sandboxes=2)
HALF_FULL = Candidate("half", sandboxes=4, max_sandboxes=8)
WEAK = Candidate("weak", refuses="cannot hold a cpu limit")


@pytest.mark.parametrize(
    ("wish", "hosts", "place"),
    [
        pytest.param(ANY, [], "", id="no hosts: as ever"),
        pytest.param(ANY, [JOINED], "", id="a joined host is no capacity"),
        pytest.param(Placement("here"), [A], "", id="here"),
        pytest.param(ANY, [A, B], "a", id="fewer sandboxes"),
        pytest.param(ANY, [Candidate("b"), Candidate("a")], "a", id="by name where all is equal"),
        pytest.param(ANY, [Candidate("x", sandboxes=3, max_sandboxes=4), HALF_FULL], "half", id="share of the limit"),
        pytest.param(ANY, [Candidate("x", sandboxes=9), HALF_FULL], "x", id="no limit"),
        pytest.param(ANY, [AWAY, DRAINING, FULL, WEAK, B], "b", id="the one that fits"),
        pytest.param(Placement(labels={"zone": "b"}), [A, B], "b", id="a label"),
        pytest.param(Placement(labels={"zone": "b", "disk": "ssd"}), [A, B], "b", id="all labels"),
        pytest.param(Placement("b"), [A, B], "b", id="by name"),
        pytest.param(Placement("b", {"disk": "ssd"}), [A, B], "b", id="by name and label"),
    ],
)  # fmt: skip
def test_it_goes_to(wish: Placement, hosts: list[Candidate], place: str) -> None:
    assert choose(wish, hosts) == place


@pytest.mark.parametrize(
    ("wish", "hosts", "code", "words"),
    [
        (Placement("c"), [A], Code.NOT_FOUND, "'c' is not registered"),
        (Placement("away"), [A, AWAY], Code.UNAVAILABLE, "host away is not connected"),
        (Placement("old"), [A, DRAINING], Code.PRECONDITION, "host old is draining"),
        (Placement("full"), [A, FULL], Code.EXHAUSTED, "host full has its 2 sandboxes"),
        (Placement("weak"), [A, WEAK], Code.PRECONDITION, "host weak cannot hold a cpu limit"),
        (Placement("laptop"), [A, JOINED], Code.PRECONDITION, "joined for its own sandbox alone"),
        (Placement("a", {"zone": "b"}), [A, B], Code.PRECONDITION, "host a has no label zone=b"),
        (Placement(labels={"zone": "b"}), [], Code.PRECONDITION, "no sandbox host is registered"),
        (Placement(labels={"zone": "b", "disk": "hdd"}), [B], Code.EXHAUSTED, "b has no label disk=hdd"),
        (
            ANY,
            [AWAY, DRAINING, FULL, WEAK, JOINED],
            Code.EXHAUSTED,
            "away is not connected; old is draining; full has its 2 sandboxes; weak cannot hold a cpu limit$",
        ),
    ],
)
def test_it_cannot_go(wish: Placement, hosts: list[Candidate], code: Code, words: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        choose(wish, hosts)
    assert caught.value.code is code
    with pytest.raises(OpenShellError, match=words):
        raise OpenShellError(code, caught.value.message)


def test_where_none_fits_the_cure_is_the_gateways_own_machine() -> None:
    with pytest.raises(OpenShellError) as caught:
        choose(ANY, [FULL])
    assert "--host here" in caught.value.hint


def test_a_sandbox_with_files_of_its_own_stays_where_they_are_unless_it_is_said() -> None:
    assert choose(ANY, [A], own_files=True) == ""
    assert choose(Placement("a"), [A], own_files=True) == "a"
    assert choose(Placement(labels={"zone": "b"}), [A, B], own_files=True) == "b"

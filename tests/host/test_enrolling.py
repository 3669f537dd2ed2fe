from __future__ import annotations

from pathlib import Path

import pytest

from pyopenshell.enrol.dialogue import Enrolled
from pyopenshell.enrol.invitation import Address, Invitation, Invited
from pyopenshell.enrol.keys import Validity
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host import enrolling as module
from pyopenshell.host.enrolling import enrolled, leave
from pyopenshell.host.state import HostFile, HostState
from pyopenshell.model import new_id
from tests.support.fake_driver import FakeDriver

LINE = str(Invitation(Invited.HOST, (Address("a", 1), Address("b", 2)), "osi_" + "a" * 32, "0" * 64))
HOST = HostFile("lab1", "main", ("gw.example:17670",), 0.0)


async def test_an_invitation_makes_a_host_and_a_second_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take(invitation: Invitation, role: Invited, *, name: str, find_proxy: object) -> Enrolled:
        assert (str(invitation), role, name) == (LINE, Invited.HOST, "box")
        return Enrolled(role, "lab1", "main", Address("b", 2), (), Validity(0, 3), b"CA", b"CERT", b"KEY")

    monkeypatch.setattr(module, "enrol", take)
    state = HostState(tmp_path)
    with pytest.raises(OpenShellError, match="not enrolled") as caught:
        await enrolled(state, "", "box")
    assert caught.value.code is Code.PRECONDITION
    made = await enrolled(state, f"{LINE}\n", "box")
    assert (made.name, made.addresses) == ("lab1", ("b:2", "a:1"))
    assert await enrolled(state, "", "other") == made
    with pytest.raises(OpenShellError, match=r"enrolled at gateway 'main' .* as 'lab1'") as caught:
        await enrolled(state, LINE, "box")
    assert caught.value.code is Code.CONFLICT
    assert "osi_" not in str(caught.value)


async def test_a_users_invitation_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(OpenShellError, match="for a user, not for a host"):
        await enrolled(HostState(tmp_path), LINE.replace("os-host", "os-user"), "box")


async def test_a_host_with_sandboxes_is_left_by_force_alone(tmp_path: Path) -> None:
    state, driver = HostState(tmp_path), FakeDriver()
    with pytest.raises(OpenShellError, match="not enrolled"):
        await leave(state, lambda: driver, force=False)
    state.save(HOST)
    sandbox_id = new_id()
    (state.sandboxes / sandbox_id).mkdir(parents=True)
    with pytest.raises(OpenShellError, match="1 sandboxes are on this host") as caught:
        await leave(state, lambda: driver, force=False)
    assert (caught.value.code, state.load()) == (Code.PRECONDITION, HOST)
    assert await leave(state, lambda: driver, force=True) == [sandbox_id]
    assert (driver.calls, driver.closed, state.load()) == ([("delete", sandbox_id)], True, None)


async def test_a_host_without_sandboxes_needs_none_and_a_damaged_file_does(tmp_path: Path) -> None:
    state = HostState(tmp_path)
    state.save(HOST)
    assert await leave(state, FakeDriver, force=False) == []
    (tmp_path / "host.json").write_text("rubbish")
    with pytest.raises(OpenShellError, match="cannot be read"):
        await leave(state, FakeDriver, force=False)
    assert await leave(state, FakeDriver, force=True) == []
    assert state.load() is None

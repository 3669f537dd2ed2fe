"""What is taken of the host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import ids, namespaces, sources, steps

from .conftest import BASE, IS_ROOT, in_child


def taken(directory: str, source: str = "") -> list[object]:
    """Collect as a gateway does, and say what was found; nothing stays open after close()."""
    chosen = ids.candidates(BASE)[0]
    userns = namespaces.make_user_namespace(chosen)
    if chosen.shape is not ids.Shape.RANGE:
        namespaces.become_root_inside(userns, chosen)
        namespaces.make_others()
    before = len(os.listdir("/proc/self/fd"))
    found = sources.collect(chosen, directory, source, ("no/such",), userns if chosen.shape is ids.Shape.RANGE else -1)
    answer = [
        sorted(bind.target for bind in found.binds),
        dict(found.links),
        sorted(lower.target for lower in found.lowers),
        sorted(bind.target for bind in found.devices),
        found.read_only_because,
    ]
    found.close()
    return [*answer, len(os.listdir("/proc/self/fd")) - before]


def test_the_allow_list_is_taken_and_all_is_given_back(who: str, directory: str) -> None:
    binds, links, lowers, devices, reason, left_open = in_child(lambda: taken(directory), who)
    assert set(binds) <= {*sources.SYSTEM, "var/lib/dpkg", *(f"etc/{name}" for name in sources.ETC)}
    assert "usr" in binds
    for name in sources.SYSTEM:
        assert (name in links) == os.path.islink(f"/{name}")
    assert devices == sorted(sources.DEVICES)
    assert left_open == 0
    assert bool(lowers) == (reason == "")
    if who == "user":
        assert reason == "needs a gateway that is root"


def test_a_tree_takes_nothing_of_the_system(who: str, directory: str) -> None:
    binds, links, lowers, _, _, left_open = in_child(
        lambda: taken(directory, "/usr/share" if IS_ROOT else directory), who
    )
    assert (binds, links, lowers, left_open) == ([], {}, [""], 0)


def test_a_tree_that_is_missing_is_named_and_nothing_stays_open(who: str, directory: str) -> None:
    def fail() -> list[object]:
        before = len(os.listdir("/proc/self/fd"))
        try:
            taken(directory, "/no/such")
        except steps.SetupFailed as failure:
            # the user namespace is the caller's own
            return [failure.step, failure.text, len(os.listdir("/proc/self/fd")) - before - 1]
        return []

    assert in_child(fail, who) == [steps.SOURCES, "No such file or directory: '/no/such'", 0]


def test_a_mount_below_is_found(tmp_path: Path) -> None:
    assert sources._mount_below("/no/such") == ""
    assert sources._mount_below("/dev").startswith("/dev/")


def test_what_an_operator_adds() -> None:
    assert sources.further(("ssl/openssl.cnf", "profile", "profile.d/x.sh", "motd", "motd", "kube/a", "kube")) == (
        "ssl/openssl.cnf",
        "motd",
        "kube/a",
        "kube",
    )


@pytest.mark.parametrize("name", ["", "/etc/motd", "../root", "a//b", "a/./b", "a\0b", "passwd", "hosts", "a/.."])
def test_what_an_operator_cannot_add(name: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        sources.further((name,))
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize("name", sources.ETC)
def test_nothing_of_the_allow_list_is_a_secret(name: str) -> None:
    assert not any(word in name for word in ("shadow", "ssh", "private", "sudo", "passwd", "machine-id"))

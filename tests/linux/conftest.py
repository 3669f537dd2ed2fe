"""A real sandbox for the tests of `linux/`: a tiny init that spawns what it is told, as root's and as an ordinary user's.

As root every test runs in both shapes (a forked child becomes user 65534); as a user in its own. Nothing is skipped:
what a machine cannot do is expected to be refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyopenshell.linux import birth, confine, descriptors, process, sealing
from pyopenshell.linux import ids as id_maps
from pyopenshell.linux.enter import Door, enter
from pyopenshell.linux.namespaces import Namespaces, remove_tree

NOBODY = 65534
BASE = 0x0100_0000  # of the test sandboxes: far from what a gateway here would take first
IS_ROOT = os.geteuid() == 0
WHO = ("root", "user") if IS_ROOT else ("user",)
MESSAGE_MAX = 64 * 1024


def become(who: str) -> None:
    """In a forked child: stay root or become an ordinary user."""
    if who == "user" and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def in_child(function: Callable[[], Any], who: str = "root") -> Any:
    """Run `function` in a forked child and return its answer (JSON); an exception there fails the test with its text."""
    heard, told = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        try:
            become(who)
            answer = {"value": function()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        with contextlib.suppress(BaseException):
            os.write(told, json.dumps(answer).encode())
        os._exit(0)
    os.close(told)
    os.waitpid(pid, 0)
    assert select.select([heard], [], [], 0)[0], "the child ended without an answer"
    data = os.read(heard, MESSAGE_MAX)  # once: a grandchild (process 1) may hold the other end for ever
    os.close(heard)
    answer = json.loads(data)
    assert "error" not in answer, answer["error"]
    return answer["value"]


class Box:
    """A sandbox that runs shell scripts, through init's door and through the one from outside."""

    def __init__(self, who: str, directory: str, source: str, etc: tuple[str, ...], cgroup: tuple[int, ...]) -> None:
        self.who = who
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def make() -> dict[str, Any]:
            here.close()
            self.ids = self.make_ids()
            plan = birth.Plan(self.ids, directory, "box", source, etc, cgroup)
            born = birth.create(plan, lambda facts: _init(there, self.ids, facts))
            return {"pid": born.process.pid, "start": born.process.start_time, "facts": born.facts}

        try:
            answer = in_child(make, who)
        except AssertionError:
            here.close()
            raise
        finally:
            there.close()
        self.ids = self.make_ids()
        self.channel = here
        self.process = process.Identity(answer["pid"], answer["start"])
        self.facts: dict[str, str] = answer["facts"]
        data, fds = descriptors.receive(here, MESSAGE_MAX, 7)
        assert len(fds) == 7
        self.fences: dict[str, str] = json.loads(data)
        self.namespaces = Namespaces.from_descriptors(fds)

    def make_ids(self) -> id_maps.Ids:
        if self.who == "root":
            return id_maps.range_ids(BASE)
        if os.geteuid() == 0:
            return in_user_ids()
        return id_maps.subrange_ids() or id_maps.single_ids()

    def run(self, script: str) -> str:
        """Output (both streams) of a shell script whose process init has made."""
        heard, told = os.pipe()
        descriptors.send(self.channel, script.encode(), [told])
        os.close(told)
        with os.fdopen(heard, "rb") as pipe:
            output = pipe.read()
        descriptors.receive(self.channel, MESSAGE_MAX)
        return output.decode()

    def run_from_outside(
        self, script: str, inside: Callable[[], object] | None = None, cgroup: tuple[int, ...] = ()
    ) -> str:
        """The same through the door that an SSH child takes; `inside` runs there before the script."""
        heard, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                become(self.who)
                os.dup2(told, 1)
                os.dup2(told, 2)
                uid, gid = self.ids.sandbox_uid, self.ids.sandbox_gid
                enter(Door(self.ids, uid, gid, namespaces=self.namespaces, cgroup=cgroup))
                if inside is not None:
                    os.write(1, repr(inside()).encode())
                os.execve("/bin/sh", ["sh", "-c", script], {"PATH": "/usr/bin:/bin", "HOME": "/sandbox"})
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            os._exit(1)
        os.close(told)
        with os.fdopen(heard, "rb") as pipe:
            output = pipe.read()
        os.waitpid(pid, 0)
        return output.decode()

    def close(self) -> None:
        """End the sandbox and wait until its process 1 is gone; again it does nothing."""
        if self.channel.fileno() < 0:
            return
        self.channel.close()
        self.namespaces.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process.pid, 0)


def in_user_ids() -> id_maps.Ids:
    """The ids of a sandbox of user 65534, said from root."""
    one = (id_maps.Extent(id_maps.SANDBOX_ID, NOBODY, 1),)
    return id_maps.Ids(id_maps.Shape.SINGLE, one, one)


def remove(path: str) -> None:
    """Remove a directory that may hold files of a subrange."""
    chosen = id_maps.single_ids() if IS_ROOT else id_maps.candidates(BASE)[0]
    in_child(lambda: remove_tree(chosen, path))


def _init(channel: socket.socket, ids: id_maps.Ids, facts: dict[str, str]) -> int:
    own = Namespaces.of()
    fences = confine.confine_init()
    descriptors.send(channel, json.dumps(fences).encode(), own.descriptors())
    own.close()
    while True:
        script, fds = descriptors.receive(channel, MESSAGE_MAX, 1)
        if not script:
            return 0
        done = subprocess.run(
            ["/bin/sh", "-c", script.decode()],
            stdin=subprocess.DEVNULL,
            stdout=fds[0],
            stderr=fds[0],
            env={"PATH": "/usr/bin:/bin", "HOME": "/sandbox"},
            cwd="/sandbox" if os.geteuid() == ids.sandbox_uid else "/",
            preexec_fn=lambda: enter(_keep(ids)),
            check=False,
        )
        os.close(fds[0])
        descriptors.send(channel, str(done.returncode).encode())


def _keep(ids: id_maps.Ids) -> Door:
    """subprocess tells a failed exec through a pipe of its own, so every descriptor stays; all are close-on-exec."""
    return Door(ids, ids.sandbox_uid, ids.sandbox_gid, keep=frozenset(range(256)))


@pytest.fixture(scope="session", autouse=True)
def _subreaper() -> None:
    sealing.warm()
    process.become_subreaper()


@pytest.fixture(params=WHO)
def who(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def directory(who: str) -> Iterator[str]:
    """A directory of the sandbox's own, as the driver makes it, in a place that every user can reach; gone afterwards."""
    path = tempfile.mkdtemp(prefix="pyopenshell-test-")
    if who == "user" and IS_ROOT:
        os.chown(path, NOBODY, NOBODY)
    yield path
    remove(path)


@pytest.fixture
def mounts_before() -> Iterator[None]:
    """Nothing is mounted after the test that was not before."""
    before = Path("/proc/self/mountinfo").read_text()
    yield
    assert Path("/proc/self/mountinfo").read_text() == before


@pytest.fixture
def make_box(who: str, directory: str, mounts_before: None) -> Iterator[Callable[..., Box]]:
    """Makes sandboxes; their processes 1 are gone afterwards, and with them every process inside."""
    made: list[Box] = []

    def make(source: str = "", etc: tuple[str, ...] = (), cgroup: tuple[int, ...] = ()) -> Box:
        made.append(Box(who, directory, source, etc, cgroup))
        return made[-1]

    yield make
    for box in made:
        box.close()
        assert not process.is_alive(box.process)


@pytest.fixture
def box(make_box: Callable[..., Box]) -> Box:
    """A sandbox of the host's view."""
    return make_box()

"""From an order to a serving PID 1, and its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyopenshell.drivers import presence
from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.files import SandboxFiles
from pyopenshell.drivers.running import make_init
from pyopenshell.drivers.zygote import Zygote
from pyopenshell.errors import OpenShellError
from pyopenshell.linux.ids import candidates
from pyopenshell.linux.steps import SetupFailed
from pyopenshell.model import SandboxSpec, new_id
from pyopenshell.supervisor.init_client import Exit, InitClient
from tests.support.bare_init import BASE, Box, output_of

pytestmark = pytest.mark.e2e


def title(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def birth(**spec: object) -> Birth:
    return Birth(new_id(), "web", SandboxSpec(**spec), "", "", "", BASE)  # type: ignore[arg-type]


async def test_pid_one_is_found_by_its_lock_and_titled(box: Box) -> None:
    held = presence.find(box.running.files.init_lock)
    assert held is not None
    assert held.pid == box.running.init.pid
    held.release()
    assert title(held.pid).rstrip(b"\0") == b"openshell-init: bare"


async def test_pid_one_is_not_looked_into_from_inside(box: Box) -> None:
    client = await box.connect()
    for name in ("environ", "mem", "fd", "root"):
        _out, err, how = await output_of(client, "ls", "-l", f"/proc/1/{name}/")
        assert (how.code, b"denied" in err or b"Not a directory" in err) == (2, True)


async def test_pid_one_shrugs_signals_off(box: Box) -> None:
    client = await box.connect()
    script = "for s in HUP INT QUIT ILL ABRT BUS FPE KILL USR1 SEGV PIPE ALRM TERM CHLD STOP TSTP; do kill -$s 1; done"
    await output_of(client, "sh", "-c", script)
    assert (await output_of(client, "true"))[2] == Exit()


async def test_workdir_and_environment_of_the_sandbox_are_the_default(tmp_path: Path) -> None:
    made = birth(workdir="/tmp", env={"A": "1"})
    files = SandboxFiles.of(tmp_path, made.sandbox_id)
    ids = candidates(BASE)[0]
    files.make(ids)
    zygote = Zygote(tmp_path / "zygote.log")
    running, facts = await make_init(zygote, made, files, ids, "", ())
    directory = os.open(files.run, os.O_PATH)
    client = await InitClient.connect(directory)
    os.close(directory)
    assert client.facts == facts
    assert (await output_of(client, "sh", "-c", "pwd; echo $A"))[0] == b"/tmp\n1\n"
    client.close()
    await running.end()
    await zygote.gone()


async def test_the_end_of_its_lifetime_ends_it(tmp_path: Path) -> None:
    made = birth()
    files = SandboxFiles.of(tmp_path, made.sandbox_id)
    ids = candidates(BASE)[0]
    files.make(ids)
    zygote = Zygote(tmp_path / "zygote.log")
    reader, writer = os.pipe()
    running, _facts = await make_init(zygote, made, files, ids, "", (reader,))
    os.close(reader)
    os.close(writer)
    await running.init.ended()
    assert presence.find(files.init_lock) is None
    await running.end()
    await zygote.gone()


async def test_a_view_that_cannot_be_built_is_told_and_leaves_no_process(tmp_path: Path) -> None:
    made = birth()
    files = SandboxFiles.of(tmp_path, made.sandbox_id)
    ids = candidates(BASE)[0]
    files.make(ids)
    (files.directory / "workspace").write_text("in the way")
    zygote = Zygote(tmp_path / "zygote.log")
    with pytest.raises((SetupFailed, OpenShellError)):
        await make_init(zygote, made, files, ids, "", ())
    assert presence.find(files.init_lock) is None
    await zygote.gone()

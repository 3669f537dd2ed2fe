from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from pyopenshell.drivers.local import LocalDriver
from pyopenshell.drivers.messages import readable
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import cgroups, process
from pyopenshell.linux.etc import MADE
from pyopenshell.linux.ids import Shape, candidates
from pyopenshell.linux.sources import ETC
from pyopenshell.model import Limits, SandboxSpec, new_id
from tests.support.local_sandbox import Sandboxes
from tests.support.waiting import until

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]


def proc(who: process.Identity | None, name: str) -> bytes:
    return Path(f"/proc/{who.pid if who else 'self'}/{name}").read_bytes()


def readable_in_etc() -> Path:
    """A file that everybody may read and no sandbox sees by itself."""
    files = (path for path in sorted(Path("/etc").iterdir()) if path.is_file() and not path.is_symlink())
    return next(path for path in files if path.stat().st_mode & 0o004 and path.name not in {*ETC, *MADE})


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


async def kill(who: process.Identity) -> None:
    """Kill and wait for the end."""
    pidfd = process.open_pidfd(who)
    assert pidfd is not None
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    await readable(pidfd)
    os.close(pidfd)


async def test_a_probe_makes_a_whole_sandbox(world: Sandboxes) -> None:
    facts = await world.driver.probe()
    assert facts["isolation"] == candidates(0)[0].shape.value
    assert facts["seccomp"] == "filter"
    support = cgroups.available()
    assert (facts["limit_cpu"] == "yes", facts["limit_memory"] == "yes") == (not support.cpu, not support.memory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a process that cannot be dumped")
async def test_what_an_operator_adds_to_etc_is_seen(world: Sandboxes, tmp_path: Path) -> None:
    added = readable_in_etc()
    world.driver = LocalDriver(world.root / "sandboxes", etc_binds=[added.name])
    found = await world.look(await world.start())
    inside = Path(f"/proc/{found['init'].pid}/root/etc")
    assert (inside / added.name).read_bytes() == added.read_bytes()
    assert names_in(inside) <= {*(name.split("/")[0] for name in ETC), *MADE, added.name}
    with pytest.raises(OpenShellError, match="is made for each sandbox"):
        LocalDriver(tmp_path / "other", etc_binds=["passwd"])


async def test_start_gives_facts_and_two_processes(world: Sandboxes) -> None:
    birth = world.birth()
    facts = await world.driver.start(birth)
    assert {"isolation", "system", "landlock", "seccomp"} <= set(facts)
    found = await world.look(birth)
    assert set(found) == {"init", "supervisor", "zygote"}
    if candidates(0)[0].shape is Shape.RANGE:
        status = proc(found["supervisor"], "status").decode()
        supervisor = candidates(birth.id_base)[0].supervisor
        assert f"Uid:\t{supervisor}\t{supervisor}\t{supervisor}\t{supervisor}" in status
        assert "CapEff:\t0000000000000000" in status


async def test_titles_name_the_sandbox(world: Sandboxes) -> None:
    birth = await world.start()
    found = await world.look(birth)
    titles = {kind: proc(who, "cmdline").rstrip(b"\0") for kind, who in found.items()}
    assert titles == {
        "init": f"openshell-init: {birth.name}".encode(),
        "supervisor": f"openshell-supervisor: {birth.name}".encode(),
        "zygote": b"openshell-zygote",
    }


async def test_a_running_sandbox_is_not_started_twice(world: Sandboxes) -> None:
    birth = await world.start()
    with pytest.raises(OpenShellError) as caught:
        await world.driver.start(birth)
    assert caught.value.code is Code.CONFLICT
    assert set(await world.look(birth)) == {"init", "supervisor", "zygote"}


async def test_the_workspace_survives_stop_and_start(world: Sandboxes) -> None:
    birth = await world.start()
    note = world.root / "sandboxes" / birth.sandbox_id / "workspace" / "note"
    note.write_text("kept")
    before = await world.look(birth)
    await world.driver.stop(birth.sandbox_id)
    assert not process.is_alive(before["init"])
    assert not process.is_alive(before["supervisor"])
    await world.driver.start(birth)
    assert note.read_text() == "kept"
    assert world.exits == []


async def test_stop_and_delete_of_an_unknown_sandbox_do_nothing(world: Sandboxes) -> None:
    await world.driver.stop(new_id())
    await world.driver.delete(new_id())
    assert await world.driver.processes(new_id()) == []


async def test_an_id_that_leads_elsewhere_is_refused(world: Sandboxes) -> None:
    with pytest.raises(OpenShellError) as caught:
        await world.driver.delete("../far")
    assert caught.value.code is Code.INVALID
    assert world.far.exists()


async def test_a_killed_supervisor_is_replaced(world: Sandboxes) -> None:
    birth = await world.start()
    before = await world.look(birth)
    await kill(before["supervisor"])

    async def replaced() -> bool:
        return (await world.look(birth)).get("supervisor") not in (None, before["supervisor"])

    await until(replaced)
    assert (await world.look(birth))["init"] == before["init"]
    assert world.exits == []


async def test_a_killed_init_ends_the_sandbox_and_is_told(world: Sandboxes) -> None:
    birth = await world.start()
    before = await world.look(birth)
    await kill(before["init"])
    await until(lambda: bool(world.exits))
    assert world.exits == [(birth.sandbox_id, "the sandbox's init ended: it was killed from outside")]
    assert not process.is_alive(before["supervisor"])
    assert await world.driver.processes(birth.sandbox_id) == []


async def test_a_killed_zygote_is_replaced_for_the_next_sandbox(world: Sandboxes) -> None:
    first = await world.start()
    before = await world.look(first)
    await kill(before["zygote"])
    await until(lambda: world.driver._zygote.process is None)
    second = await world.start()
    after = await world.look(second)
    assert after["zygote"] != before["zygote"]
    assert process.is_alive(before["init"])


async def test_another_driver_adopts_what_runs(world: Sandboxes) -> None:
    birth = await world.start(mortal=False)
    before = await world.look(birth)
    await world.driver.close()
    assert process.is_alive(before["init"])
    assert process.is_alive(before["supervisor"])
    again = world.driver = LocalDriver(world.root / "sandboxes")
    assert await again.adopt(birth)
    assert await again.adopt(birth)
    after = await world.look(birth)
    assert (after["init"], after["supervisor"]) == (before["init"], before["supervisor"])


async def test_adopting_replaces_a_supervisor_that_died_meanwhile(world: Sandboxes) -> None:
    birth = await world.start(mortal=False)
    before = await world.look(birth)
    await world.driver.close()
    await kill(before["supervisor"])
    world.driver = LocalDriver(world.root / "sandboxes")
    assert await world.driver.adopt(birth)
    after = await world.look(birth)
    assert after["init"] == before["init"]
    assert after["supervisor"] != before["supervisor"]


async def test_nothing_is_adopted_where_nothing_runs(world: Sandboxes) -> None:
    birth = await world.start()
    await world.driver.stop(birth.sandbox_id)
    assert not await world.driver.adopt(birth)
    assert not await world.driver.adopt(world.birth())


async def test_what_a_lost_driver_left_is_stopped_and_deleted_by_the_next(world: Sandboxes) -> None:
    birth = await world.start(mortal=False)
    before = await world.look(birth)
    await world.driver.close()
    world.driver = LocalDriver(world.root / "sandboxes")
    await world.driver.delete(birth.sandbox_id)
    assert not process.is_alive(before["init"])


async def test_close_ends_what_lives_with_the_gateway(world: Sandboxes) -> None:
    birth = await world.start()
    before = await world.look(birth)
    await world.driver.close()
    await world.driver.close()
    assert [kind for kind, who in before.items() if process.is_alive(who)] == []
    world.driver = LocalDriver(world.root / "sandboxes")


async def test_a_failed_start_leaves_nothing(world: Sandboxes, tmp_path: Path) -> None:
    birth = world.birth(source=f"tar:{tmp_path}/broken.tar")
    (tmp_path / "broken.tar").write_bytes(b"no archive")
    with pytest.raises(OpenShellError) as caught:
        await world.driver.start(birth)
    assert caught.value.code is Code.INVALID
    assert not (world.root / "sandboxes" / birth.sandbox_id).exists()


async def test_a_gateway_socket_in_no_directory_fails_the_start(world: Sandboxes) -> None:
    birth = world.birth()
    world.far.rmdir()
    with pytest.raises(OpenShellError) as caught:
        await world.driver.start(birth)
    assert caught.value.code is Code.UNAVAILABLE
    assert not (world.root / "sandboxes" / birth.sandbox_id).exists()


async def test_limits_make_no_sense_or_are_held(world: Sandboxes) -> None:
    with pytest.raises(OpenShellError) as caught:
        world.driver.check(SandboxSpec(limits=Limits(cpu=-1)))
    assert caught.value.code is Code.INVALID
    birth = world.birth(limits=Limits(memory=256 * 1024 * 1024, best_effort=True))
    facts = await world.driver.start(birth)
    assert "memory limit" in facts


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has ranges of ids")
async def test_an_id_base_outside_of_the_free_ids_is_refused(world: Sandboxes) -> None:
    birth = world.birth()
    object.__setattr__(birth, "id_base", 0)
    with pytest.raises(OpenShellError) as caught:
        await world.driver.start(birth)
    assert caught.value.code is Code.INVALID


#: A gateway that is killed: two sandboxes that live with it.
GATEWAY = """
import asyncio, json, sys
from pathlib import Path
from tests.support.local_sandbox import Sandboxes
async def main():
    world = Sandboxes(Path(sys.argv[1]))
    for _ in range(2):
        await world.start()
    print(json.dumps([[who.pid, who.start_time] for who in world.seen]), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_killed_gateway_takes_its_sandboxes_and_the_zygote_with_it(tmp_path: Path) -> None:
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert gateway.stdout is not None
    seen = [process.Identity(*pair) for pair in json.loads(await gateway.stdout.readline())]
    assert len(seen) == 5
    pidfds = [process.open_pidfd(who) for who in seen]
    assert None not in pidfds
    gateway.kill()
    await gateway.wait()
    for pidfd in pidfds:
        assert pidfd is not None
        await readable(pidfd)
        os.close(pidfd)
    assert [who for who in seen if process.is_alive(who)] == []
    assert str(tmp_path).encode() not in proc(None, "mountinfo")

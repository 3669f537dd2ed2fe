"""Process 1 of a pid namespace that reaps nobody but its own child, as `su` or a program in a container without an init;
and what its child does: everything at once in sandboxes, a kill in the middle, and then each sandbox must go.

    python -m tests.e2e.unreaped VICTIM...    victims are names of our processes
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.e2e.openssh import OpenSsh
from tests.e2e.test_cuts import find_all
from tests.e2e.test_deaths import kill_and_wait
from tests.e2e.test_forward import HASHER, forwarded, inside
from tests.support.world import World

KINDS = ("ssh", "exec", "forward")
TITLES = {
    "zygote": "openshell-zygote",
    "supervisor": "openshell-supervisor: ",
    "init": "openshell-init: ",
}


def victims(world: World, name: str) -> list[int]:
    """The processes that are meant, all of this pid namespace."""
    if name == "gateway":
        assert world.gateway.process is not None
        return [world.gateway.process.pid]
    return find_all(TITLES[name])


def scenario(names: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="openshell-unreaped-") as folder, contextlib.ExitStack() as opened:
        world = World(Path(folder), "unreaped", detached=True)
        opened.callback(world.close)
        world.start()
        for kind in KINDS:
            world.run("sandbox", "create", kind).ok()
        ssh = OpenSsh.of(world, "ssh", Path(folder)).ssh("echo up; sleep 1000")
        command = ("sandbox", "exec", "-n", "exec", "--", "sh", "-c", "echo up; sleep 1000")
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        for process in (
            subprocess.Popen(ssh, env=world.environ, **pipes),  # type: ignore[call-overload]
            world.popen(*command, **pipes),
        ):
            opened.callback(process.communicate)
            opened.callback(process.kill)
            assert process.stdout.readline() == b"up\n"
        server = opened.enter_context(inside(world, "forward", HASHER))
        assert server.stdout is not None
        opened.enter_context(forwarded(world, "forward", int(server.stdout.readline())))
        for name in names:
            found = victims(world, name)
            assert found, f"no {name}"
            for pid in found:
                kill_and_wait(pid)
        world.start()
        for kind in KINDS:
            world.run("sandbox", "delete", kind).ok()


def main() -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            scenario(sys.argv[1:])
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())

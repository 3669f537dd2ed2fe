"""The whole product once around, as whoever this process is: what it is must give the named shape of isolation.

python -m tests.e2e.shapes SHAPE
"""

from __future__ import annotations

import contextlib
import io
import socket
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.e2e.openssh import OpenSsh
from tests.e2e.test_deaths import kill_and_wait, processes
from tests.e2e.test_forward import forwarded, inside
from tests.e2e.test_lifecycle import arguments, static_program
from tests.support.world import World

MEMORY = 256 * 1024 * 1024
ECHO = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    peer, _ = server.accept()
    peer.sendall(peer.recv(5))
    peer.close()
"""


class Tour:
    """One sandbox `web` in a world of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder

    def create(self, shape: str, *, limited: bool) -> None:
        """Facts and limits are what they should be."""
        limits = ["--memory", str(MEMORY)] if limited else []
        self.world.run("sandbox", "create", "web", *limits).ok()
        facts = self.world.run("sandbox", "get", "web", "-o", "json").json["facts"]
        assert facts["isolation"] == shape, facts
        assert facts.get("memory limit", "") == (f"{MEMORY} bytes" if limited else ""), facts
        self.ssh = OpenSsh.of(self.world, "web", self.folder).ssh("cat /sandbox/note && id -u && cat /proc/self/cgroup")
        self.run("sh", "-c", "echo note > /sandbox/note")

    def run(self, *argv: str) -> bytes:
        """A command inside."""
        return self.world.run("sandbox", "exec", "-n", "web", "--", *argv).ok().out

    def doors(self) -> None:
        """Every way in works, and leads to the same place."""
        out = self.run("sh", "-c", "cat /sandbox/note && id -u && cat /proc/self/cgroup")
        assert out.startswith(b"note\n1000\n")
        assert self.world.command(self.ssh).ok().out == out
        with inside(self.world, "web", ECHO) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            with forwarded(self.world, "web", port) as address, socket.create_connection(address) as near:
                near.sendall(b"hello")
                assert near.recv(5) == b"hello"

    def restart(self) -> None:
        """Stop and start: the workspace stays."""
        self.world.run("sandbox", "stop", "web").ok()
        self.world.run("sandbox", "start", "web").ok()
        self.doors()

    def adopt(self, *, supervisor: bool) -> None:
        """The gateway is killed, perhaps with the supervisor; another gateway finds the same sandbox."""
        before = processes(self.world, "web")
        kill_and_wait(before["gateway"])
        if supervisor:
            kill_and_wait(before["supervisor"])
        self.world.start()
        self.doors()
        after = processes(self.world, "web")
        assert after["init"] == before["init"]
        assert (after["supervisor"] != before["supervisor"]) == supervisor

    def image(self) -> None:
        """A tree with files of several owners, and directories that nobody may enter, runs and is removed."""
        program = static_program(self.folder)
        archive = self.folder / "image.tar"
        with tarfile.open(archive, "w") as tar:
            for name, uid, mode in (("bin", 0, 0o755), ("closed", 33, 0o700), ("closed/inner", 65534, 0)):
                entry = tarfile.TarInfo(name)
                entry.type, entry.uid, entry.gid, entry.mode = tarfile.DIRTYPE, uid, uid, mode
                tar.addfile(entry)
            entry = tarfile.TarInfo("bin/prog")
            entry.size, entry.mode, entry.uid = program.stat().st_size, 0o755, 7
            tar.addfile(entry, io.BytesIO(program.read_bytes()))
        self.world.run("sandbox", "create", "image", "--from", str(archive)).ok()
        command = ("sandbox", "exec", "-n", "image", "--", "/bin/prog", *arguments(program))
        assert self.world.run(*command).ok().out == b"static\n"

    def delete(self) -> None:
        """Nothing of a sandbox stays."""
        self.world.run("sandbox", "delete", "--all", "--yes").ok()
        assert [path.name for path in (self.world.state / "sandboxes").iterdir() if path.is_dir()] == []


def tour(shape: str, *, limited: bool) -> None:
    """Raises AssertionError at the first step that does not do what it should."""
    with tempfile.TemporaryDirectory(prefix="openshell-shape-") as folder, contextlib.ExitStack() as opened:
        world = World(Path(folder), "shape", detached=True)
        opened.callback(world.close)
        opened.callback(lambda: print((world.state / "gateway.log").read_text(), file=sys.stderr))  # why it failed
        world.start()
        made = Tour(world, Path(folder))
        made.create(shape, limited=limited)
        made.doors()
        made.restart()
        made.adopt(supervisor=False)
        made.adopt(supervisor=True)
        made.image()
        made.delete()


if __name__ == "__main__":
    tour(sys.argv[1], limited=sys.argv[2:] == ["limited"])

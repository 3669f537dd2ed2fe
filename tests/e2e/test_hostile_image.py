"""Images that lie in wait: nothing of theirs is loaded or run unless the user's own command does it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.hostile import Image
from tests.e2e.openssh import OpenSsh
from tests.e2e.test_forward import forwarded
from tests.support.world import World

pytestmark = pytest.mark.e2e

needs_compiler = pytest.mark.skipif(
    shutil.which("gcc") is None or not Path("/usr/include/stdio.h").exists() or os.uname().machine != "x86_64",
    reason="the traps are made with gcc, for x86-64",
)


def as_directory(image: Image, folder: Path) -> Path:
    return image.tree


def as_archive(image: Image, folder: Path) -> Path:
    """As `docker export` writes it."""
    path = folder / "image.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(image.tree, ".")
    return path


def as_layers(image: Image, folder: Path) -> Path:
    """As `docker save` writes it, a last layer behind the traps: unpacking it must not ask the first one for help.

    A trap that is sprung then finds no /tmp for its mark, and ends the unpacking.
    """
    path = folder / "layers.tar"
    last = io.BytesIO()
    with tarfile.open(fileobj=last, mode="w:xz") as layer:
        entry = tarfile.TarInfo("last")
        entry.pax_headers = {"comment": "ä"}
        layer.addfile(entry)
    with tarfile.open(path, "w") as archive:
        archive.add(as_archive(image, folder), "first/layer.tar")
        for name, content in (
            ("last/layer.tar", last.getvalue()),
            ("manifest.json", json.dumps([{"Layers": ["first/layer.tar", "last/layer.tar"]}]).encode()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("hostile")
    return Image.make(folder / "tree", f"/tmp/mark-{uuid.uuid4().hex}")


@pytest.fixture(scope="module", params=[as_directory, as_archive, as_layers])
def trapped(
    request: pytest.FixtureRequest, world: World, image: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A sandbox of the image, whose main process has run."""
    pack: Callable[[Image, Path], Path] = request.param
    source = pack(image, tmp_path_factory.mktemp("source"))
    world.run("sandbox", "create", "trapped", "--from", str(source)).ok()
    assert marks(world, image) == ""
    yield "trapped"
    assert world.run("sandbox", "stop", "trapped").ok()
    world.run("sandbox", "start", "trapped").ok()
    assert marks(world, image) == ""
    world.run("sandbox", "delete", "trapped").ok()


@pytest.fixture
def ssh(world: World, trapped: str, tmp_path: Path) -> OpenSsh:
    return OpenSsh.of(world, trapped, tmp_path)


def marks(world: World, image: Image, sandbox: str = "trapped") -> str:
    """What the traps have left, inside and on the host."""
    outside = Path(image.mark)
    assert not outside.exists(), outside.read_text()
    return world.run("sandbox", "exec", "-n", sandbox, "--", "/bin/marks").ok().text


@needs_compiler
@pytest.mark.parametrize(
    "options", [(), ("--login",), ("--tty",), ("--workdir", "/sandbox"), ("--env", "LC_ALL=de_DE")]
)
def test_exec(world: World, image: Image, trapped: str, options: tuple[str, ...]) -> None:
    world.run("sandbox", "exec", "-n", trapped, *options, "--", "/bin/sh").ok()
    if "--login" not in options:  # there the shell is what runs, and this one knows no commands
        assert world.run("sandbox", "exec", "-n", trapped, *options, "--", "no-such-command").status == 127
    assert marks(world, image) == ""


@needs_compiler
def test_ssh(world: World, image: Image, trapped: str, ssh: OpenSsh) -> None:
    environ = {"LANG": "de_DE.ISO-8859-1", "LC_ALL": "de_DE.ISO-8859-1", "DISPLAY": ":0"}
    send = ["-o", "SendEnv=LANG LC_*"]
    assert world.command(ssh.ssh("anything"), environ=environ).ok().out == b"honest\n"
    assert world.command([*ssh.ssh()[:-1], *send, "-A", ssh.alias, "ä"], environ=environ).ok().out == b"honest\n"
    assert b"honest" in world.command(ssh.ssh(tty=True), environ=environ).ok().out
    world.command([*ssh.ssh()[:-1], "-X", ssh.alias, "x"], environ=environ)  # refused or not, it loads nothing
    assert marks(world, image) == ""


@needs_compiler
def test_files(world: World, image: Image, trapped: str, ssh: OpenSsh, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"content")
    world.command(ssh.scp(str(tmp_path / "there"), "{}:/tmp/there")).ok()
    world.command(ssh.scp("{}:/tmp/there", str(tmp_path / "back"))).ok()
    assert (tmp_path / "back").read_bytes() == b"content"
    commands = (
        "pwd", "ls -la /", "ls -la /etc", "cd /tmp", "mkdir d", "put there d/ä", "get d/ä back2", "chmod 600 d/ä",
        "ln -s x l",
        "ln d/ä h", "rename d/ä d/b", "df", "rm d/b", "rmdir d", "ls -l",
    )  # fmt: skip
    script = "\n".join((f"lcd {tmp_path}", *commands, "quit")).encode()
    world.command(ssh.sftp(), stdin=script).ok()
    assert marks(world, image) == ""


@needs_compiler
def test_forward(world: World, image: Image, trapped: str, ssh: OpenSsh) -> None:
    with serving(world, trapped) as port:
        with forwarded(world, trapped, port) as address, socket.create_connection(address, timeout=60) as near:
            assert near.recv(100) == b"honest\n"
        for host in ("localhost", "127.0.0.1"):
            assert world.command([*ssh.ssh()[:-1], "-W", f"{host}:{port}", ssh.alias]).ok().out == b"honest\n"
        assert world.command([*ssh.ssh()[:-1], "-W", f"no.such.name:{port}", ssh.alias]).status == 255
    assert marks(world, image) == ""


@contextlib.contextmanager
def serving(world: World, sandbox: str) -> Iterator[int]:
    command = ("sandbox", "exec", "-n", sandbox, "--", "/bin/serve")
    server = world.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.terminate()
        server.communicate()


@needs_compiler
def test_a_main_process_and_its_logs(world: World, image: Image, tmp_path: Path) -> None:
    world.run(
        "sandbox", "create", "trapped-main", "--from", str(image.tree), "--attach", "--", "/bin/sh", "-c", "x"
    ).ok()
    assert "honest" in world.run("sandbox", "logs", "trapped-main").ok().text
    assert not Path(image.mark).exists()
    world.run("sandbox", "delete", "trapped-main").ok()


@needs_compiler
def test_the_traps_work_where_the_users_own_command_runs_into_them(world: World, image: Image) -> None:
    world.run("sandbox", "create", "sprung", "--from", str(image.tree)).ok()
    try:
        world.run("sandbox", "exec", "-n", "sprung", "--", "/bin/dynamic", "/etc/hostname").ok()
        world.run("sandbox", "exec", "-n", "sprung", "--", "tar").ok()
        assert marks(world, image, "sprung") == "library\nprogram tar\n"
    finally:
        world.run("sandbox", "delete", "sprung").ok()


def odd_links(tree: Path) -> None:
    """Every place where something is mounted or written is a link that leads out."""
    for name, goal in (
        ("proc", "../../../../etc"), ("dev", "/proc/self/root/dev"), ("tmp", "/usr"), ("sandbox", "/etc"),
        ("run", "/"), ("etc", "/usr/etc"),
    ):  # fmt: skip
        (tree / name).symlink_to(goal)


def odd_files(tree: Path) -> None:
    """Files where directories are meant."""
    for name in ("proc", "dev", "tmp", "sandbox", "run", "etc"):
        (tree / name).write_text("a file")


def odd_pipes(tree: Path) -> None:
    """Whoever opens one of these waits for ever."""
    (tree / "etc").mkdir()
    for name in ("passwd", "group", "hosts", "resolv.conf", "hostname", "nsswitch.conf"):
        os.mkfifo(tree / "etc" / name)


def odd_names(tree: Path) -> None:
    """A huge passwd whose user has ids that are not to be given, and a shell that is no path."""
    (tree / "etc").mkdir()
    line = "sandbox:x:0:0::/:sh -c evil\n"
    (tree / "etc" / "passwd").write_text("x" * 3_000_000 + "\n" + line)
    (tree / "etc" / "group").mkdir()


@pytest.mark.parametrize("make", [odd_links, odd_files, odd_pipes, odd_names])
def test_an_odd_tree_is_made_into_a_sandbox_or_refused_with_a_reason(
    world: World, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in map(Path, ("/etc/hosts", "/etc/passwd", "/etc/resolv.conf"))}
    (tmp_path / "tree").mkdir()
    make(tmp_path / "tree")
    ended = world.run("sandbox", "create", "odd", "--from", str(tmp_path / "tree"))
    try:
        if ended.status:
            assert len(ended.err.strip().splitlines()) == 1
            assert world.run("sandbox", "get", "odd").status == 1  # nothing half-made is left
        else:
            assert world.run("sandbox", "exec", "-n", "odd", "--", "/bin/sh").status == 127  # there is none
    finally:
        world.run("sandbox", "delete", "odd")
    assert {path: path.stat().st_mtime_ns for path in before} == before

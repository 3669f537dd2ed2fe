"""Create, main process, logs, limits, names: the life of a sandbox from the command line."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import World

pytestmark = pytest.mark.e2e


@pytest.fixture
def job(world: World) -> Iterator[str]:
    """A name that is deleted afterwards, whatever became of it."""
    yield "job"
    world.run("sandbox", "delete", "job")


def test_a_main_process_that_ends_well_is_completed(world: World, job: str) -> None:
    world.run("sandbox", "create", job, "--env", "WHO=world", "--", "sh", "-c", 'echo "hello $WHO"; echo bad >&2').ok()
    assert wait_phase(world, job, "Completed")["exit_code"] == 0
    logs = world.run("sandbox", "logs", job).ok().text
    assert "hello world" in logs
    assert "bad" in logs
    ended = world.run("sandbox", "exec", "-n", job, "--", "true")
    assert ended.status == 1
    assert "Completed" in ended.err


def test_a_main_process_that_fails_is_an_error_with_its_code_and_start_runs_it_again(world: World, job: str) -> None:
    world.run("sandbox", "create", job, "--", "sh", "-c", "echo run >> /sandbox/runs; exit 3").ok()
    assert wait_phase(world, job, "Error")["exit_code"] == 3
    for command in (("sandbox", "exec", "-n", job, "--", "true"), ("forward", "service", job, "--target-port", "80")):
        ended = world.run(*command)
        assert ended.status == 1
        assert "Error" in ended.err
        assert "3" in ended.err
    world.run("sandbox", "start", job).ok()
    wait_phase(world, job, "Error")


#: Its last act takes a moment, is on a group's member, and is seen in the workspace and in the log.
GRACEFUL = """
sh -c 'trap "sleep 0.3; echo saved >> /sandbox/state; echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done' &
trap 'wait; exit 0' TERM
wait
"""


@pytest.mark.parametrize("restarted", [False, True])
def test_a_main_process_is_asked_to_end_before_it_is_killed(lasting_world: World, restarted: bool) -> None:
    world = lasting_world
    world.run("sandbox", "create", "job", "--", "sh", "-c", GRACEFUL).ok()
    logs = world.popen("sandbox", "logs", "job", "--follow", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert logs.stdout is not None
    assert b"up" in logs.stdout.readline()
    logs.kill()
    logs.communicate()
    if restarted:
        world.stop()
        world.start()
    world.run("sandbox", "stop", "job").ok()
    assert world.run("sandbox", "get", "job", "-o", "json").json["phase"] == "Stopped"
    assert "bye" in world.run("sandbox", "logs", "job").ok().text
    world.run("sandbox", "start", "job").ok()
    assert world.run("sandbox", "exec", "-n", "job", "--", "cat", "/sandbox/state").ok().out == b"saved\n"


@pytest.mark.slow
def test_one_that_does_not_end_when_asked_is_killed(world: World, job: str) -> None:
    world.run("sandbox", "create", job, "--", "sh", "-c", "trap '' TERM; while :; do sleep 1; done").ok()
    world.run("sandbox", "stop", job).ok()
    assert world.run("sandbox", "get", job, "-o", "json").json["phase"] == "Stopped"


def wait_phase(world: World, name: str, phase: str) -> dict[str, object]:
    """Follow `sandbox watch` until the phase is seen; the record of then."""
    watch = world.popen("sandbox", "watch", name, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert watch.stdout is not None
    try:
        while line := watch.stdout.readline():
            if phase.lower().encode() in line.lower():
                break
    finally:
        watch.terminate()
        watch.communicate()
    found: dict[str, object] = world.run("sandbox", "get", name, "-o", "json").json
    assert found["phase"] == phase
    return found


@pytest.mark.parametrize(("command", "said"), [("no-such-program", "no-such-program"), ("/etc/passwd", "ermission")])
def test_a_main_process_that_cannot_start_is_exit_1_with_the_reason(
    world: World, job: str, command: str, said: str
) -> None:
    ended = world.run("sandbox", "create", job, "--", command)
    assert ended.status == 1
    assert said in ended.err
    assert world.run("sandbox", "get", job).status == 1  # nothing half-made is left


@pytest.mark.parametrize("status", [0, 6])
def test_attach_passes_output_and_status_on(world: World, job: str, status: int) -> None:
    ended = world.run("sandbox", "create", job, "--attach", "--", "sh", "-c", f"echo attached; exit {status}")
    assert ended.status == status
    assert "attached" in ended.text


def test_argv_of_the_main_process_is_verbatim(world: World, job: str) -> None:
    world.run("sandbox", "create", job, "--attach", "--", "printf", "[%s]", "a b", "$HOME", "*").ok()
    assert "[a b][$HOME][*]" in world.run("sandbox", "logs", job).ok().text


def test_workdir_and_labels(world: World, job: str) -> None:
    world.run("sandbox", "create", job, "--workdir", "/tmp", "--label", "team=x", "--env", "A=1").ok()
    assert world.run("sandbox", "exec", "-n", job, "--", "sh", "-c", "pwd; echo $A").ok().out == b"/tmp\n1\n"
    found = world.run("sandbox", "get", job, "-o", "json").json
    assert found["labels"] == {"team": "x"}


def test_a_name_twice_is_a_conflict(world: World, web: str) -> None:
    ended = world.run("sandbox", "create", web)
    assert ended.status == 1
    assert "exists" in ended.err


@pytest.mark.parametrize("name", ["a/b", "a\nb", "A", "-a", "a" * 64, "..", "a b"])
def test_names_that_are_not_valid(world: World, name: str) -> None:
    ended = world.run("sandbox", "create", name)
    assert ended.status == 2
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        ("get", "absent"),
        ("start", "absent"),
        ("stop", "absent"),
        ("delete", "absent"),
        ("logs", "absent"),
        ("watch", "absent"),
        ("exec", "-n", "absent", "--", "true"),
        ("ssh-config", "absent"),
    ],
)
def test_an_unknown_sandbox(world: World, command: tuple[str, ...]) -> None:
    ended = world.run("sandbox", *command)
    assert ended.status == 1
    assert "absent" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_from_a_directory_and_from_a_tar(world: World, job: str, tmp_path: Path) -> None:
    busybox = Path("/bin/busybox")
    program = busybox if busybox.exists() else static_program(tmp_path)
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "prog").write_bytes(program.read_bytes())
    (tree / "bin" / "prog").chmod(0o755)
    archive = tmp_path / "tree.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(tree, ".")
    for source in (tree, archive):
        world.run("sandbox", "create", job, "--from", str(source)).ok()
        assert world.run("sandbox", "exec", "-n", job, "--", "/bin/prog", *arguments(program)).ok().out == b"static\n"
        world.run("sandbox", "delete", job).ok()


def test_from_an_image_layout(world: World, job: str, tmp_path: Path) -> None:
    program = static_program(tmp_path)
    layout = tmp_path / "layout"
    (layout / "blobs" / "sha256").mkdir(parents=True)

    def blob(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        (layout / "blobs" / "sha256" / digest).write_bytes(data)
        return f"sha256:{digest}"

    def layer(*members: tuple[str, bytes]) -> dict[str, str]:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, data in members:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o755
                tar.addfile(entry, io.BytesIO(data))
        return {"digest": blob(packed.getvalue())}

    layers = [layer(("bin/old", b""), ("bin/prog", program.read_bytes())), layer(("bin/.wh.old", b""))]
    manifest = blob(json.dumps({"layers": layers}).encode())
    (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": manifest}]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    world.run("sandbox", "create", job, "--from", str(layout)).ok()
    assert world.run("sandbox", "exec", "-n", job, "--", "/bin/prog").ok().out == b"static\n"
    assert "command not found" in world.run("sandbox", "exec", "-n", job, "--", "/bin/old").err
    world.run("sandbox", "delete", job).ok()
    (layout / "index.json").write_text('{"manifests": []}')
    refused = world.run("sandbox", "create", job, "--from", str(layout))
    assert refused.status == 1
    assert "the image has nothing for linux/" in refused.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has ranges of ids, and may mount a ramfs")
def test_from_a_directory_on_a_file_system_that_cannot_map_ids(world: World, job: str, tmp_path: Path) -> None:
    program = static_program(tmp_path)
    tree = tmp_path / "tree"
    tree.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "ramfs", str(tree)], check=True)
    try:
        (tree / "prog").write_bytes(program.read_bytes())
        (tree / "prog").chmod(0o700)
        os.chown(tree / "prog", 1000, 1000)
        world.run("sandbox", "create", job, "--from", str(tree)).ok()
    finally:
        subprocess.run(["umount", str(tree)], check=True)
    assert world.run("sandbox", "exec", "-n", job, "--", "/prog").ok().out == b"static\n"


def static_program(tmp_path: Path) -> Path:
    """A static program that prints one word, as small as ELF allows: an image without libc or shell."""
    code = bytes.fromhex("b801000000bf01000000488d3510000000ba070000000f05b83c00000031ff0f05") + b"static\n"
    base, header = 0x400000, 64 + 56
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    import struct

    elf = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + header, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = header + len(code)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    path = tmp_path / "static"
    path.write_bytes(elf + code)
    path.chmod(0o755)
    return path


def arguments(program: Path) -> list[str]:
    return ["echo", "static"] if program.name == "busybox" else []


def test_a_tar_that_climbs_out_stays_inside(world: World, job: str, tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        entry = tarfile.TarInfo("../../escaped")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    world.run("sandbox", "create", job, "--from", str(archive))
    roots = {path.parent for path in world.base.rglob("escaped")}
    assert all("sandboxes" in root.parts for root in roots)
    assert not Path("/escaped").exists()


@pytest.mark.parametrize("source", ["/no/such/dir", "/etc/passwd"])
def test_a_source_that_is_none(world: World, source: str) -> None:
    ended = world.run("sandbox", "create", "sourceless", "--from", source)
    assert ended.status in (1, 2)
    assert len(ended.err.strip().splitlines()) == 1
    assert "sourceless" not in world.run("sandbox", "list").ok().text


def test_limits_are_held_or_refused_with_the_reason(world: World, job: str) -> None:
    ended = world.run("sandbox", "create", job, "--memory", "256Mi")
    if ended.status == 0:
        script = "import sys; sys.stdout.write(str(len(bytearray(400_000_000))))"
        assert world.run("sandbox", "exec", "-n", job, "--", "/usr/bin/python3", "-c", script).status == 137
    else:
        assert "cgroup" in ended.err
        world.run("sandbox", "create", job, "--memory", "256Mi", "--limits", "best-effort").ok()
        assert "facts" in world.run("sandbox", "get", job, "-o", "json").json


def test_delete_all(own_world: World) -> None:
    for name in ("a", "b", "c"):
        own_world.run("sandbox", "create", name).ok()
    own_world.run("sandbox", "delete", "--all", "--yes").ok()
    assert own_world.run("sandbox", "list", "-o", "json").json == []

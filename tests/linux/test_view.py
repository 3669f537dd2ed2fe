"""The root view, of the host's system and of hostile trees."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyopenshell.linux import ids, syscalls, trees

from .conftest import BASE, IS_ROOT, NOBODY, Box, in_child

Maker = Callable[..., Box]


def test_only_what_is_named_is_there(box: Box) -> None:
    names = set(box.run("ls -A /").split())
    assert {"bin", "dev", "etc", "lib", "proc", "run", "sandbox", "tmp", "usr", "var"} <= names
    assert names <= {
        "bin",
        "dev",
        "etc",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "opt",
        "proc",
        "run",
        "sandbox",
        "sbin",
        "tmp",
        "usr",
        "var",
    }
    assert (
        box.run(
            "ls -A /etc/shadow /etc/ssh /etc/machine-id /root /home /sys /var/lib/apt 2>&1 | grep -vc 'No such file'"
        ).strip()
        == "0"
    )
    assert set(box.run("ls -A /dev").split()) == {
        "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"
    }  # fmt: skip


def test_the_hosts_users_are_not_there(box: Box) -> None:
    passwd = box.run("cat /etc/passwd")
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["root", "sandbox", "nobody"]
    assert "sandbox:x:1000:1000:sandbox:/sandbox:/bin/" in passwd
    assert box.run("cat /etc/hosts") == "127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    assert set(re.findall(r": (.*)", box.run("cat /etc/nsswitch.conf"))) == {"files"}


def test_the_sandbox_writes_its_own_places_and_nothing_else(box: Box) -> None:
    places = "/sandbox /tmp /var/tmp /dev/shm / /usr /usr/bin /etc /etc/ssl /var /run /proc/sys"
    script = f"for d in {places}; do touch $d/x 2>/dev/null && echo $d; done"
    mine = {"/sandbox", "/tmp", "/var/tmp", "/dev/shm"}
    own_root = set() if box.ids.many else {"/run"}  # where `sandbox` is the only id, the tmpfs is its own
    assert set(box.run(script).split()) == mine | own_root
    assert box.run("echo x >/dev/null && cat /dev/zero 2>&1 >>/dev/full").endswith("No space left on device\n")


def test_every_mount_is_without_suid_and_only_devices_have_devices(box: Box) -> None:
    for line in box.run("cat /proc/self/mountinfo").splitlines():
        point, options = line.split()[4:6]
        assert "nosuid" in options, line
        assert "nodev" in options or point.startswith("/dev/"), line
        assert "shared:" not in line and "master:" not in line, line  # nothing travels to the host or from it


def test_the_system_is_read_only_where_it_is_the_hosts(box: Box) -> None:
    mounts = {line.split()[4]: line for line in box.run("cat /proc/self/mountinfo").splitlines()}
    assert " ro," in mounts["/"]
    assert " ro," in mounts["/etc/ssl/certs"]
    if box.facts["system"] == "overlay":
        assert " - overlay " in mounts["/usr"]
        assert box.who == "root"
    else:
        assert " ro," in mounts["/usr"]
        assert box.facts["system"].startswith("read-only (")


def test_the_network_is_a_loopback_and_its_low_ports_are_free(box: Box) -> None:
    assert box.run("cat /proc/net/dev | grep -c :").strip() == "1"
    script = """python3 - <<'END' 2>/dev/null || echo no python
import socket
for host in ("127.0.0.1", "::1"):
    with socket.create_server((host, 80), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        socket.create_connection((host, 80)).close()
print("reached")
END"""
    assert box.run(script).strip() in ("reached", "no python")
    assert box.run("cat /etc/hostname; uname -n") == "box\nbox\n"


def test_a_terminal_can_be_made(box: Box) -> None:
    assert box.run("ls -l /dev/pts/ptmx | cut -c1-10").strip() == "crw-rw-rw-"
    seen = box.run("python3 -c 'import pty,os; m,s=pty.openpty(); print(os.ttyname(s))' 2>&1")
    assert seen.strip() == "/dev/pts/0" or "not found" in seen


def test_processes_outside_are_not_seen(box: Box) -> None:
    assert box.run("echo /proc/[0-9]* | wc -w").strip() in ("3", "4", "5")  # init, sh, its pipeline
    assert box.run("readlink /proc/1/root 2>&1; echo $?").endswith("1\n")  # init is not dumpable


def test_the_workspace_survives_and_belongs_to_the_sandbox(who: str, directory: str, make_box: Maker) -> None:
    first = make_box()
    assert first.run("echo kept > /sandbox/file; stat -c %U:%a /sandbox") == "sandbox:700\n"
    first.close()
    again = make_box()
    assert again.run("cat /sandbox/file") == "kept\n"
    again.close()
    assert Path(directory, "workspace").stat().st_uid == again.ids.host_uid(1000)


def test_what_an_operator_lists_is_there_and_nothing_hidden_comes_with_it(make_box: Maker) -> None:
    box = make_box(etc=("hosts.allow", "services", "no/such"))
    assert box.run("test -s /etc/services && echo there") in ("there\n", "")
    assert Path("/etc/services").exists() == bool(box.run("test -s /etc/services && echo there"))


def test_a_tree_that_was_unpacked_for_the_sandbox_has_its_ids(
    who: str, make_box: Maker, tree: Path, directory: str
) -> None:
    archive = Path(f"{tree}.tar")
    subprocess.run(["tar", "--owner=0", "--group=0", "-C", str(tree), "-cf", str(archive), "."], check=True)
    try:
        in_child(lambda: trees.unpack(str(archive), f"{directory}/tree", sandbox_ids(who)), who)
    finally:
        archive.unlink()
    box = make_box(source=f"{directory}/tree")
    owner = "0" if who == "root" or box.ids.many else "1000"
    assert box.run("id -u; read line < /proc/self/uid_map; touch /usr/x 2>&1; cat /etc/hostname").endswith("box\n")
    copy = box.run_from_outside("true", inside=lambda: str(os.stat("/bin/cat").st_uid))
    assert copy == repr(owner)


def sandbox_ids(who: str) -> ids.Ids:
    return ids.range_ids(BASE) if who == "root" else ids.candidates(BASE)[0]


# --- trees --------------------------------------------------------------------------------------------------------


def copy_program(tree: Path, program: str) -> None:
    """A program with the libraries that ldd(1) names."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for path in {program, *re.findall(r"(/\S+)", listed)}:
        target = tree / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


@pytest.fixture
def tree(tmp_path: Path, who: str) -> Iterator[Path]:
    """A small image: /bin/sh and cat, ls, touch, id with their libraries; owned by whoever makes the sandbox."""
    made = Path(directory_everyone_reaches(tmp_path))
    for program in ("/bin/sh", "/bin/cat", "/bin/touch", "/usr/bin/id"):
        copy_program(made, program)
    yield made
    subprocess.run(["chmod", "-R", "u+rwX", str(made)], check=True)
    shutil.rmtree(made)


def directory_everyone_reaches(tmp_path: Path) -> str:
    path = f"/var/tmp/pyopenshell-tree-{tmp_path.name}-{os.getpid()}"
    os.mkdir(path)
    return path


def give(tree: Path, who: str) -> None:
    if who == "user" and IS_ROOT:
        subprocess.run(["chown", "-Rh", f"{NOBODY}:{NOBODY}", str(tree)], check=True)


def test_a_tree_is_the_root_and_stays_as_it_was(who: str, make_box: Maker, tree: Path) -> None:
    (tree / "etc").mkdir()
    (tree / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh")
    (tree / "etc/group").write_text("root:x:0:\n")
    (tree / "mark").write_text("image\n")
    give(tree, who)
    before = sorted(str(path) for path in tree.rglob("*"))
    box = make_box(source=str(tree))
    assert box.facts["system"] == "overlay"
    assert box.run("cat /mark; echo mine > /sandbox/x; cat /sandbox/x; cat /etc/hostname") == "image\nmine\nbox\n"
    assert box.run("cat /etc/passwd").splitlines()[-1].startswith("sandbox:x:1000:1000:sandbox:/sandbox:")
    assert box.run("cat /etc/group") == "root:x:0:\nsandbox:x:1000:\n"
    assert box.run("cat /usr/bin/python3") == "cat: /usr/bin/python3: No such file or directory\n"
    box.close()
    assert sorted(str(path) for path in tree.rglob("*")) == before
    assert (tree / "etc/group").read_text() == "root:x:0:\n"


def test_links_of_a_hostile_tree_lead_nowhere(who: str, make_box: Maker, tree: Path) -> None:
    prey = Path(f"{tree}-prey")
    prey.mkdir()
    (prey / "passwd").write_text("host\n")
    shutil.rmtree(tree / "etc", ignore_errors=True)
    for name, goal in (
        ("etc", str(prey)),
        ("proc", "/"),
        ("dev", f"../../../../../..{prey}"),
        ("sandbox", "/bin"),
        ("tmp", "/tmp"),
        ("run", "run"),
    ):
        (tree / name).symlink_to(goal)
    give(tree, who)
    give(prey, who)
    try:
        box = make_box(source=str(tree))
        assert "sandbox:x:" in box.run("cat /etc/passwd")
        assert box.run("echo x > /dev/null; echo /sandbox/*; echo /tmp/*") == "/sandbox/*\n/tmp/*\n"
        box.close()
        assert [path.name for path in prey.iterdir()] == ["passwd"]
        assert (prey / "passwd").read_text() == "host\n"
    finally:
        shutil.rmtree(prey)


def test_a_directory_on_a_file_of_a_tree_is_replaced(who: str, make_box: Maker, tree: Path) -> None:
    for name in ("proc", "dev", "sandbox", "etc"):
        (tree / name).write_text("a file")
    give(tree, who)
    box = make_box(source=str(tree))
    assert box.run("cat /etc/hostname; cat /proc/sys/kernel/ostype") == "box\nLinux\n"


def test_root_inside_writes_where_the_system_is_an_overlay(box: Box, directory: str) -> None:
    layer = Path(directory, "layers/usr/upper")
    assert layer.exists() == (box.facts["system"] == "overlay")
    if layer.exists():
        assert layer.stat().st_uid == BASE


def test_where_the_overlay_is_refused_the_system_is_read_only(monkeypatch: pytest.MonkeyPatch, make_box: Maker) -> None:
    real = syscalls.mount

    def refuse(source: str | None, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
        if kind == "overlay" and not target.endswith("/usr"):  # the second of three, so that the first is taken back
            raise OSError(22, "mount: Invalid argument")
        real(source, target, kind, flags, options)

    monkeypatch.setattr(syscalls, "mount", refuse)
    box = make_box()
    assert box.facts["system"].startswith("read-only (")
    assert " ro," in next(
        line for line in box.run("cat /proc/self/mountinfo").splitlines() if line.split()[4] == "/usr"
    )

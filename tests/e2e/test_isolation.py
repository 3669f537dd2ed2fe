"""What a process in a sandbox is, sees and reaches: the same behind every door, and nothing of the host or a neighbour."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.openssh import OpenSsh
from tests.support.world import Ended, World

pytestmark = pytest.mark.e2e

FIELDS = "Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Seccomp_filters"
SPACES = ("user", "mnt", "net", "ipc", "uts", "cgroup", "pid")
#: Prints what the process that runs it is: its status, its namespaces, its cgroup.
WHO_AM_I = (
    f"grep -E '^({FIELDS}):' /proc/self/status; for n in {' '.join(SPACES)};"
    ' do echo "$n $(readlink /proc/self/ns/$n)"; done; cat /proc/self/cgroup; echo end'
)
DOORS = ("exec", "login exec", "exec with a terminal", "ssh command", "ssh terminal", "main process")


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[str]:
    """A sandbox whose main process said what it is, and stays."""
    world.run("sandbox", "create", "lab", "--", "sh", "-c", f"{WHO_AM_I}; exec sleep 543").ok()
    yield "lab"
    world.run("sandbox", "delete", "lab").ok()


@pytest.fixture(scope="module")
def ssh(world: World, lab: str, tmp_path_factory: pytest.TempPathFactory) -> OpenSsh:
    return OpenSsh.of(world, lab, tmp_path_factory.mktemp("ssh"))


def sh(world: World, sandbox: str, script: str, *arguments: str) -> Ended:
    return world.run("sandbox", "exec", "-n", sandbox, "--", "sh", "-c", script, "-", *arguments)


def shape(world: World, sandbox: str) -> str:
    return str(world.run("sandbox", "get", sandbox, "-o", "json").json["facts"]["isolation"])


def said(world: World, lab: str, ssh: OpenSsh, door: str) -> str:
    """What a process behind `door` says it is, without the carriage returns of terminals."""
    exec_ = ("sandbox", "exec", "-n", lab)
    match door:
        case "exec":
            ended = world.run(*exec_, "--", "sh", "-c", WHO_AM_I)
        case "login exec":
            ended = world.run(*exec_, "--login", "--", "sh", "-c", WHO_AM_I)
        case "exec with a terminal":
            ended = world.run(*exec_, "--tty", "--", "sh", "-c", WHO_AM_I)
        case "ssh command":
            ended = world.command(ssh.ssh(WHO_AM_I))
        case "ssh terminal":
            ended = world.command(ssh.ssh(tty=True), stdin=f"stty -echo\n{WHO_AM_I}\nexit\n".encode())
        case _:
            ended = world.run("sandbox", "logs", lab)
    return ended.ok().text.replace("\r", "")


def test_the_process_behind_every_door_is_the_same_kind_of_process(world: World, lab: str, ssh: OpenSsh) -> None:
    said_by = {door: said(world, lab, ssh, door) for door in DOORS}
    lines = {door: wanted(text) for door, text in said_by.items()}
    assert lines == dict.fromkeys(DOORS, lines["exec"])


def wanted(text: str) -> list[str]:
    """The lines of WHO_AM_I alone, without what a log or a shell puts before them."""
    spaces = "|".join(SPACES)
    pattern = rf"((?:(?:{FIELDS}):.*)|(?:(?:{spaces}) (?:{spaces}):\[\d+\])|(?:\d+:[\w=,]*:/.*))$"
    return [found[1] for line in text.splitlines() if (found := re.search(pattern, line.rstrip()))]


def test_that_process_has_no_privilege_at_all(world: World, lab: str, ssh: OpenSsh) -> None:
    lines = wanted(said(world, lab, ssh, "exec"))
    fields = {line.split(":")[0]: line.split()[1:] for line in lines if re.match(FIELDS, line)}
    assert len(fields) == len(FIELDS.split("|"))
    assert set(fields["Uid"]) == set(fields["Gid"]) != {"0"}
    assert {fields[name][0] for name in fields if name.startswith("Cap")} == {"0" * 16}
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == (["1"], ["2"])
    if shape(world, lab) != "single":
        assert fields["Groups"] == []


def test_its_namespaces_are_not_the_hosts(world: World, lab: str, ssh: OpenSsh) -> None:
    inside = {line for line in wanted(said(world, lab, ssh, "exec")) if "[" in line}
    assert len(inside) == len(SPACES)
    assert not inside & {f"{name} {Path(f'/proc/self/ns/{name}').readlink()}" for name in SPACES}


def test_the_process_that_serves_files_is_of_the_same_kind(world: World, lab: str, ssh: OpenSsh) -> None:
    """SFTP runs in the connection's own process: seen from inside while a transfer program is connected."""
    look = (
        "for p in /proc/[0-9]*; do if grep -q '^openshell-ssh' $p/cmdline 2>/dev/null; then"
        f" grep -E '^({FIELDS}):' $p/status; cat $p/cgroup; fi; done"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(ssh.sftp(), env=world.environ, **pipes) as sftp:
        assert sftp.stdin is not None
        assert sftp.stdout is not None
        sftp.stdin.write(b"pwd\n")
        sftp.stdin.flush()
        while b"Remote working directory" not in sftp.stdout.readline():
            pass
        seen = set(wanted(sh(world, lab, look).ok().text))
        sftp.stdin.close()
        assert sftp.wait(30) == 0
    assert seen
    assert seen == {line for line in wanted(said(world, lab, ssh, "exec")) if "[" not in line}


def test_nothing_of_the_host_is_in_the_view(world: World, lab: str, tmp_path: Path) -> None:
    (tmp_path / "host-file").touch()
    hidden = ["/root", "/home", world.base, world.state, world.state / "gateway.db", world.environ["XDG_RUNTIME_DIR"]]
    hidden += [tmp_path, tmp_path / "host-file", "/var/run/docker.sock", "/boot", "/sys/kernel", "/mnt"]
    script = 'for p; do [ -e "$p" ] && echo "$p"; done; exit 0'
    assert sh(world, lab, script, *map(str, hidden)).ok().text == ""


def test_no_file_of_the_gateway_is_anywhere_in_the_view(world: World, lab: str) -> None:
    names = ["gateway.db", "gateway.sock", "supervisor.sock", "init.sock", "*.lock", "client.key", "audit.jsonl"]
    search = " -o ".join(f"-name '{name}'" for name in names)
    script = (
        rf"find / \( -path /proc -o -path /usr -o -path /var/lib/dpkg -o -path /etc \) -prune -o \( {search} \) -print"
    )
    assert sh(world, lab, f"{script} 2>/dev/null; exit 0").ok().text == ""


def test_no_secret_of_the_host_is_in_the_environment(world: World, lab: str) -> None:
    environ = {"OPENSHELL_TEST_SECRET": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    seen = world.run("sandbox", "exec", "-n", lab, "--", "env", environ=environ).ok().text
    names = {line.split("=", 1)[0] for line in seen.splitlines()}
    assert not {name for name in names if name.startswith(("OPENSHELL", "XDG_", "AWS_", "PYTHON"))}


def test_only_loopback_is_there(world: World, lab: str) -> None:
    assert sh(world, lab, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '").ok().text == "lo\n"
    assert sh(world, lab, "tail -n +2 /proc/net/route").ok().text == ""


def test_the_gateway_is_not_reached_from_inside(world: World, lab: str) -> None:
    endpoint = world.run("gateway", "list", "-o", "json").json[0]["endpoint"]
    port = endpoint.rpartition(":")[2]
    script = (
        "import socket,sys\n"
        "for host in ('127.0.0.1', '10.0.0.1', '169.254.169.254', '192.0.2.1'):\n"
        "  with socket.socket() as s:\n"
        "    s.settimeout(5)\n"
        "    print(s.connect_ex((host, int(sys.argv[1]))))\n"
    )
    ended = world.run("sandbox", "exec", "-n", lab, "--", "/usr/bin/python3", "-c", script, port).ok()
    refused, unreachable = 111, 101
    assert list(map(int, ended.text.split())) == [refused] + [unreachable] * 3


def test_no_process_of_the_host_is_visible(world: World, lab: str) -> None:
    seen = sh(world, lab, "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done").ok().text
    assert "openshell-init: lab" in seen
    assert "openshell-gateway" not in seen
    assert "pytest" not in seen
    assert "openshell-supervisor" not in seen
    gateway = world.gateway.process
    assert gateway is not None
    assert sh(world, lab, 'kill -0 "$1" 2>/dev/null', str(gateway.pid)).status == 1


def test_what_is_written_where(world: World, lab: str) -> None:
    assert (
        sh(world, lab, "echo x > /dev/null && echo y > /sandbox/f && echo z > /tmp/f && pwd").ok().text == "/sandbox\n"
    )
    script = 'for d; do if touch "$d/written" 2>/dev/null; then echo "$d"; fi; done; exit 0'
    closed = ["/", "/usr", "/usr/bin", "/etc", "/etc/ssl", "/proc/sys/kernel", "/var", "/opt", "/lib"]
    if shape(world, lab) != "single":  # there nobody but the user exists, so what is made for the sandbox is the user's
        closed += ["/dev", "/run"]
    assert sh(world, lab, script, *closed).ok().text == ""
    for setting in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches"):
        assert sh(world, lab, 'echo 0 > "$1"', setting).status != 0, setting


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -t tmpfs x /tmp",
        "unshare -Ur true",
        "unshare -n true",
        "chroot / true",
        "mknod /tmp/node c 1 3",
        "hostname other",
        "cat /proc/1/environ",
        "ls /proc/1/root/",
        "ls /proc/1/fd",
        "dmesg",
        "chown 0 /sandbox",
        "nsenter -t 1 -m true",
    ],
)
def test_an_act_that_needs_a_privilege_fails(world: World, lab: str, attempt: str) -> None:
    assert sh(world, lab, f"{attempt} >/dev/null 2>&1").status != 0
    sh(world, lab, "true").ok()


def test_init_survives_every_signal(world: World, lab: str) -> None:
    """While it starts a process it lends the user's id, so a signal may be allowed then; none does anything."""
    begun = "cut -d' ' -f22 /proc/1/stat"
    before = sh(world, lab, begun).ok().text
    script = "for n in $(seq 1 31) 34 63; do for i in 1 2 3 4 5; do kill -$n 1; done; done 2>/dev/null; exit 0"
    running = [
        world.popen("sandbox", "exec", "-n", lab, "--", "sh", "-c", script, stdin=subprocess.DEVNULL) for _ in range(4)
    ]
    assert [process.wait(60) for process in running] == [0] * 4
    assert sh(world, lab, begun).ok().text == before


def test_a_setuid_program_gains_nothing(world: World, lab: str) -> None:
    script = (
        "import os,shutil,subprocess\n"
        "shutil.copy('/usr/bin/id', '/sandbox/id'); os.chmod('/sandbox/id', 0o6755)\n"
        "print(subprocess.run(['/sandbox/id', '-u'], capture_output=True, text=True).stdout.strip(), os.getuid())\n"
    )
    ran_as, self = world.run("sandbox", "exec", "-n", lab, "--", "/usr/bin/python3", "-c", script).ok().text.split()
    assert ran_as == self


def test_another_sandbox_is_not_reached(world: World, lab: str) -> None:
    """Neither its files, nor its processes, nor what it listens on, be it TCP or an abstract socket."""
    listener = (
        "import socket\n"
        "t = socket.create_server(('127.0.0.1', 0)); a = socket.socket(socket.AF_UNIX); a.bind('\\0neighbour'); a.listen()\n"
        "open('/tmp/neighbour-file', 'w').close(); open('/sandbox/neighbour-file', 'w').close()\n"
        "print(t.getsockname()[1], flush=True)\n"
        "t.accept()\n"
    )
    look = (
        "import os,socket,sys\n"
        "with socket.socket() as t, socket.socket(socket.AF_UNIX) as a:\n"
        "  try: a.connect('\\0neighbour'); abstract = 0\n"
        "  except ConnectionRefusedError as e: abstract = e.errno\n"
        "  print(t.connect_ex(('127.0.0.1', int(sys.argv[1]))), abstract)\n"
        "print([d for d in ('/tmp', '/sandbox', '/dev/shm') if 'neighbour-file' in os.listdir(d)])\n"
    )
    world.run("sandbox", "create", "neighbour").ok()
    command = ("sandbox", "exec", "-n", "neighbour", "--", "/usr/bin/python3", "-c", listener)
    server = world.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().decode().strip()
        ended = world.run("sandbox", "exec", "-n", lab, "--", "/usr/bin/python3", "-c", look, port).ok()
        assert ended.text == "111 111\n[]\n"
        assert "neighbour" not in sh(world, lab, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").ok().text
        one, other = (
            sh(world, name, "readlink /proc/self/ns/mnt; cat /proc/self/uid_map").ok().text
            for name in (lab, "neighbour")
        )
        assert one.splitlines()[0] != other.splitlines()[0]
        if shape(world, lab) == "range":
            assert one.splitlines()[1:] != other.splitlines()[1:], "the same ids of the host"
    finally:
        server.terminate()
        server.communicate()
        world.run("sandbox", "delete", "neighbour").ok()


def test_descriptors_of_a_process_are_its_own(world: World, lab: str, ssh: OpenSsh) -> None:
    """Standard input, output and error, and nothing that was open in whoever made the process."""
    for argv in (["sandbox", "exec", "-n", lab, "--", "ls", "/proc/self/fd"], None):
        ended = world.run(*argv) if argv else world.command(ssh.ssh("exec ls /proc/self/fd"))
        with contextlib.suppress(ValueError):
            assert [int(line) for line in ended.ok().text.split()] == [0, 1, 2, 3]  # 3 is the directory ls reads

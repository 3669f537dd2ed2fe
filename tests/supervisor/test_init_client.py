"""The client against a real init in a real sandbox."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec
from pyopenshell.supervisor.init_client import DialError, Exit, InitClient, StartError
from tests.support.bare_init import TERMINAL, Box, discard, drain, output_of
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


def own_namespaces(client: InitClient) -> set[int]:
    return {Path(f"/proc/self/ns/{name}").stat().st_ino for name in client.namespaces}


async def test_hello_gives_namespaces_facts_and_an_empty_table(box: Box) -> None:
    client = await box.connect()
    assert list(client.namespaces) == ["user", "mnt", "net", "ipc", "uts", "cgroup", "pid"]
    assert own_namespaces(client).isdisjoint({os.fstat(fd).st_ino for fd in client.namespaces.values()})
    assert client.facts["isolation"] in ("range", "subrange", "single")
    assert (dict(client.processes), client.ran) == ({}, frozenset())


async def test_init_says_what_it_takes(box: Box) -> None:
    pss, rss = await (await box.connect()).usage()
    assert 0 < pss <= rss


@pytest.mark.parametrize(("pss", "rss"), [(None, None), ("1", 2), (-1, 2), (3, 2), (1, 2**70)])
async def test_figures_that_cannot_be_are_refused(pss: object, rss: object) -> None:
    async def ask(_message: object) -> tuple[dict[str, object], list[int]]:
        return {"pss": pss, "rss": rss}, []

    client = InitClient.__new__(InitClient)
    client._link = SimpleNamespace(ask=ask)  # type: ignore[assignment]
    with pytest.raises(OpenShellError, match="unknown here"):
        await client.usage()


async def test_true_runs(box: Box) -> None:
    assert await output_of(await box.connect(), "/bin/true") == (b"", b"", Exit())


async def test_streams_are_apart_and_stdin_arrives(box: Box) -> None:
    client = await box.connect()
    out, err, how = await output_of(client, "sh", "-c", "cat; echo two >&2; exit 3", stdin=b"one\n" * 50_000)
    assert (out, err, how) == (b"one\n" * 50_000, b"two\n", Exit(3))


async def test_argv_arrives_verbatim(box: Box) -> None:
    argv = ("printf", "%s|", "a b", "$HOME", "", "\udcff", "ä")
    out, _err, _how = await output_of(await box.connect(), *argv)
    assert out == b"a b|$HOME||\xff|\xc3\xa4|"


async def test_the_environment_is_small_and_the_command_s_own_wins(box: Box) -> None:
    out, _err, _how = await output_of(await box.connect(), "env", env={"BOTH": "command", "X": "1\n2"})
    assert sorted(out.decode().split("\n")) == sorted(
        [
            "2",
            "BOTH=command",
            "FROM_SANDBOX=yes",
            "HOME=/sandbox",
            "LANG=C.UTF-8",
            "LOGNAME=sandbox",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SHELL=/bin/bash" if "SHELL=/bin/bash" in out.decode() else "SHELL=/bin/sh",
            "USER=sandbox",
            "X=1",
            "",
        ]
    )


async def test_a_process_is_the_sandbox_s_user_and_nothing_more(box: Box) -> None:
    script = "id -un; pwd; umask; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' /proc/self/status"
    out, err, _how = await output_of(await box.connect(), "sh", "-c", script)
    assert err == b""
    lines = out.decode().splitlines()
    assert lines[:3] == ["sandbox", "/sandbox", "0022"]
    status = dict(line.split(":\t", 1) for line in lines[3:])
    assert len(set(status["Uid"].split())) == len(set(status["Gid"].split())) == 1
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


async def test_signals_are_at_their_defaults(box: Box) -> None:
    out, _err, _how = await output_of(await box.connect(), "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
    masks = {line.split(":")[0]: int(line.split(":")[1], 16) for line in out.decode().splitlines()}
    assert masks["SigBlk"] == 0
    assert masks["SigIgn"] & (1 << 31) - 1 == 0  # glibc's own two are above


async def test_standard_streams_can_be_opened_again(box: Box) -> None:
    client = await box.connect()
    assert await output_of(client, "sh", "-c", "echo a >/dev/stderr; echo b >/dev/stdout") == (b"b\n", b"a\n", Exit())


async def test_a_terminal_has_its_size_and_controls_the_session(box: Box) -> None:
    client = await box.connect()
    out, _err, how = await output_of(client, "sh", "-c", "stty size; echo $TERM; tty; : </dev/tty", terminal=TERMINAL)
    assert out.decode().split() == ["30", "100", "xterm-256color", "/dev/pts/0"]
    assert how == Exit()


async def test_a_closed_terminal_hangs_its_processes_up(box: Box) -> None:
    client = await box.connect()
    process = await client.spawn(ExecSpec(("sleep", "1000"), terminal=TERMINAL))
    os.close(process.terminal)
    assert await process.wait() == Exit(signal=signal.SIGHUP)


@pytest.mark.parametrize(
    ("argv", "spec", "message"),
    [
        (("no-such",), {}, "command not found: no-such"),
        (("/no/such",), {}, "command not found: /no/such"),
        (("/etc/passwd",), {}, "permission denied: /etc/passwd"),
        (("/etc",), {}, "permission denied: /etc"),
        (("true",), {"workdir": "/none"}, "working directory /none: no such file or directory"),
        (("true",), {"workdir": "/bin/true"}, "working directory /bin/true: not a directory"),
        (("a\nb",), {}, "command not found: a?b"),
        (("true",), {"env": {"PATH": "/none"}}, "command not found: true"),
    ],
)
async def test_what_cannot_run_says_why(box: Box, argv: tuple[str, ...], spec: dict[str, object], message: str) -> None:
    with pytest.raises(StartError) as caught:
        await output_of(await box.connect(), *argv, **spec)
    assert caught.value.message == message
    assert caught.value.errno


async def test_a_script_without_its_interpreter_says_so(box: Box) -> None:
    client = await box.connect()
    script = "printf '#!/none\n' > s; printf 'x' > t; chmod +x s t"
    await output_of(client, "sh", "-c", script)
    with pytest.raises(StartError, match="its interpreter or loader was not found"):
        await output_of(client, "./s")
    with pytest.raises(StartError, match="exec format error"):
        await output_of(client, "./t")


async def test_login_reads_the_profile_and_keeps_argv(box: Box) -> None:
    client = await box.connect()
    await output_of(client, "sh", "-c", "echo 'export SEEN=yes' > .profile; rm -f .bash_profile .bash_login")
    out, _err, how = await output_of(client, "sh", "-c", 'echo "$SEEN" "$1"', "sh", "a  b", login=True)
    assert (out, how) == (b"yes a  b\n", Exit())


async def test_a_large_environment_arrives(box: Box) -> None:
    env = {f"V{number}": "\x01" * 100_000 for number in range(9)}
    out, _err, how = await output_of(await box.connect(), "sh", "-c", 'printf %s "$V8" | wc -c', env=env)
    assert (out.split(), how) == ([b"100000"], Exit())


async def test_signals_reach_the_group_or_the_leader(box: Box) -> None:
    client = await box.connect()
    both = await client.spawn(ExecSpec(("sh", "-c", "sleep 1000 & wait")))
    await both.signal(signal.SIGTERM)
    assert await both.wait() == Exit(signal=signal.SIGTERM)
    assert await asyncio.to_thread(drain, both.stdout) == b""  # the child in the background is gone too
    discard(both.stdin, both.stderr)
    one = await client.spawn(ExecSpec(("sh", "-c", "trap 'exit 9' USR1; echo on; while :; do sleep 0.01; done")))
    assert await asyncio.to_thread(os.read, one.stdout, 3) == b"on\n"
    await one.signal(signal.SIGUSR1, group=False)
    assert await one.wait() == Exit(9)
    await one.signal(signal.SIGKILL)
    discard(one.stdin, one.stdout, one.stderr)


async def test_waiting_twice_gives_the_same(box: Box) -> None:
    client = await box.connect()
    process = await client.spawn(ExecSpec(("sh", "-c", "exit 7")))
    assert await asyncio.gather(process.wait(), process.wait()) == [Exit(7), Exit(7)]
    assert await process.wait() == Exit(7)
    discard(process.stdin, process.stdout, process.stderr)


async def test_many_spawns_at_once(box: Box) -> None:
    client = await box.connect()
    done = await asyncio.gather(*(output_of(client, "echo", str(number)) for number in range(50)))
    assert [out for out, _err, _how in done] == [f"{number}\n".encode() for number in range(50)]


async def test_dial_reaches_what_listens_inside_and_only_that(box: Box) -> None:
    client = await box.connect()
    script = (
        "import socket; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True);"
        "c,_=s.accept(); c.sendall(c.recv(9)[::-1])"
    )
    process = await client.spawn(ExecSpec(("/usr/bin/python3", "-c", script)))
    port = int(await asyncio.to_thread(os.read, process.stdout, 9))
    sock = await client.dial("localhost", port)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, b"abc")
    assert await loop.sock_recv(sock, 9) == b"cba"
    sock.close()
    await process.wait()
    discard(process.stdin, process.stdout, process.stderr)
    with pytest.raises(DialError, match="nothing listens") as caught:
        await client.dial("::1", port)
    assert caught.value.code is Code.UNAVAILABLE
    with pytest.raises(OpenShellError, match="not a loopback address"):
        await client.dial("10.0.0.1", port)


async def test_a_newer_owner_takes_over_with_the_table(box: Box) -> None:
    first = await box.connect()
    ended = await first.spawn(ExecSpec(("sh", "-c", "exit 4")), label="main")
    lasting = await first.spawn(ExecSpec(("sleep", "1000")), keep=True)
    discard(*(fd for p in (ended, lasting) for fd in (p.stdin, p.stdout, p.stderr)))
    await until(ended.exited.done)
    second = await box.connect()
    assert "took over" in await first.lost
    with pytest.raises(OpenShellError, match="the sandbox is lost") as caught:
        await first.spawn(ExecSpec(("true",)))
    assert caught.value.code is Code.UNAVAILABLE
    with pytest.raises(OpenShellError, match="the sandbox is lost"):
        await lasting.wait()
    assert second.ran == {"main"}
    assert set(second.processes) == {ended.pid, lasting.pid}
    assert await second.processes[ended.pid].wait() == Exit(4)
    await second.processes[lasting.pid].signal(signal.SIGKILL)
    assert await second.processes[lasting.pid].wait() == Exit(signal=signal.SIGKILL)
    third = await box.connect()
    assert dict(third.processes) == {}


async def test_kept_output_outlives_its_owner(box: Box) -> None:
    first = await box.connect()
    process = await first.spawn(ExecSpec(("sh", "-c", "read go; echo out; echo err >&2")), label="main", keep=True)
    first.close()
    discard(process.stdout, process.stderr)
    second = await box.connect()
    os.write(process.stdin, b"go\n")
    discard(process.stdin)
    again = await second.attach(process.pid)
    assert (again.label, again.stdin) == ("main", -1)
    assert await again.wait() == Exit()
    assert await asyncio.to_thread(drain, again.stdout) == b"out\n"
    assert await asyncio.to_thread(drain, again.stderr) == b"err\n"
    with pytest.raises(OpenShellError, match="not in the sandbox's table"):
        await second.attach(99999)


async def test_a_spawn_socket_spawns_and_dials_but_does_not_own(box: Box) -> None:
    owner = await box.connect()
    child = await box.spawner(owner)
    assert await output_of(child, "echo", "hi") == (b"hi\n", b"", Exit())
    with pytest.raises(DialError):
        await child.dial("127.0.0.1", 9)
    other = await owner.spawn(ExecSpec(("sleep", "1000")))
    with pytest.raises(OpenShellError, match="not yours"):
        await child._link.ask({"op": "signal", "pid": other.pid, "signal": 9, "group": True})
    for operation in ("hello", "spawn_socket", "attach", "nonsense"):
        with pytest.raises(OpenShellError):
            await child._link.ask({"op": operation, "pid": other.pid})
    await other.signal(signal.SIGKILL)
    assert await other.wait() == Exit(signal=signal.SIGKILL)
    discard(other.stdin, other.stdout, other.stderr)


async def test_the_end_of_a_spawn_socket_hangs_up_what_it_started(box: Box) -> None:
    owner = await box.connect()
    child = await box.spawner(owner)
    process = await child.spawn(
        ExecSpec(("sh", "-c", "trap 'echo hup; exit' HUP; echo on; while :; do sleep 0.01; done"))
    )
    assert await asyncio.to_thread(os.read, process.stdout, 3) == b"on\n"
    child.close()
    assert await asyncio.to_thread(drain, process.stdout) == b"hup\n"
    discard(process.stdin, process.stderr)
    assert dict((await box.connect()).processes) == {}


async def test_commands_end_with_their_owner_and_never_see_the_end_of_a_piece(box: Box) -> None:
    first = await box.connect()
    asks = "trap 'echo hup; exit 3' HUP; echo on; while :; do sleep 0.01; done"
    stays = "import os, signal; signal.signal(1, signal.SIG_IGN); print('on', flush=True); os.read(0, 9); print('end')"
    commands = [("sh", "-c", asks), ("/usr/bin/python3", "-c", stays)]
    processes = [await first.spawn(ExecSpec(command)) for command in commands]
    for process in processes:
        assert await asyncio.to_thread(os.read, process.stdout, 3) == b"on\n"
        discard(process.stdin)  # what the kernel does for an owner that is killed
    first.close()
    assert await asyncio.to_thread(drain, processes[0].stdout) == b"hup\n"
    assert await asyncio.to_thread(drain, processes[1].stdout) == b""  # SIGKILL after the grace, no end of input before
    discard(*(process.stderr for process in processes))
    assert dict((await box.connect()).processes) == {}


async def test_a_cancelled_spawn_leaves_no_process(box: Box) -> None:
    client = await box.connect()
    task = asyncio.create_task(client.spawn(ExecSpec(("sleep", "1000"))))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async def gone() -> bool:
        return b"sleep" not in (await output_of(client, "ps", "-A", "-o", "comm"))[0]

    await until(gone)


async def test_a_dead_init_is_told_to_everyone(box: Box) -> None:
    client = await box.connect()
    process = await client.spawn(ExecSpec(("sleep", "1000")))
    waiting = asyncio.create_task(process.wait())
    box.running.init.kill()
    assert await client.lost
    with pytest.raises(OpenShellError, match="the sandbox is lost"):
        await waiting
    await process.signal(signal.SIGTERM)
    discard(process.stdin, process.stdout, process.stderr)
    await box.running.init.ended()  # and its listening socket with it
    with pytest.raises(OpenShellError, match="init is gone") as caught:
        await box.connect()
    assert caught.value.code is Code.UNAVAILABLE


async def test_an_init_that_does_not_answer_is_a_deadline(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "init.sock"))
    listener.listen()
    directory = os.open(tmp_path, os.O_PATH)
    with pytest.raises(OpenShellError) as caught:
        await InitClient.connect(directory, timeout=0.01)
    assert caught.value.code is Code.DEADLINE
    os.close(directory)
    listener.close()

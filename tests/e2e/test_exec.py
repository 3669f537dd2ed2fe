"""`openshell sandbox exec` as a user meets it: real processes in real namespaces."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.support.world import World

pytestmark = pytest.mark.e2e


def run(world: World, web: str, *command: str, options: tuple[str, ...] = (), stdin: bytes | None = b"") -> object:
    return world.run("sandbox", "exec", "-n", web, *options, "--", *command, stdin=stdin)


def test_argv_arrives_verbatim(world: World, web: str) -> None:
    odd = ["", " ", "a b", "$HOME", "*", "'\"", "\\", "-n", "--", "ä€", "a\nb", "\x1b[31m"]
    ended = world.run("sandbox", "exec", "-n", web, "--", "printf", "%s\\0", *odd).ok()
    assert ended.out == b"".join(word.encode() + b"\0" for word in odd)


def test_argv_that_is_not_utf8_arrives_verbatim(world: World, web: str) -> None:
    ended = world.run("sandbox", "exec", "-n", web, "--", "printf", "%s", os.fsdecode(b"\xff\xfe")).ok()
    assert ended.out == b"\xff\xfe"


def test_standard_output_and_error_are_apart(world: World, web: str) -> None:
    ended = world.run("sandbox", "exec", "-n", web, "--", "sh", "-c", "echo out; echo err >&2").ok()
    assert (ended.out, ended.err) == (b"out\n", "err\n")


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_the_status_is_passed_on(world: World, web: str, script: str, status: int) -> None:
    assert world.run("sandbox", "exec", "-n", web, "--", "sh", "-c", script).status == status


def test_standard_input_is_streamed(world: World, web: str) -> None:
    data = os.urandom(5_000_000)
    assert world.run("sandbox", "exec", "-n", web, "--", "cat", stdin=data).ok().out == data


def test_an_endless_standard_input_is_not_waited_for(world: World, web: str) -> None:
    with open("/dev/zero", "rb") as endless:
        process = world.popen("sandbox", "exec", "-n", web, "--", "true", stdin=endless)
        assert process.wait(30) == 0


def test_a_standard_input_that_never_ends_is_not_waited_for(world: World, web: str) -> None:
    far, near = os.pipe()
    try:
        assert world.popen("sandbox", "exec", "-n", web, "--", "true", stdin=far).wait(30) == 0
    finally:
        os.close(far)
        os.close(near)


def test_a_closed_standard_input(world: World, web: str) -> None:
    ended = world.command(["sh", "-c", 'exec "$@" <&-', "-", *_openshell(), "sandbox", "exec", "-n", web, "--", "cat"])
    assert ended.ok().out == b""


def test_a_reader_that_goes_away_ends_the_command(world: World, web: str) -> None:
    line = " ".join([*_openshell(), "sandbox", "exec", "-n", web, "--", "yes", "|", "head", "-c", "10"])
    assert world.command(["sh", "-c", line]).ok().out == b"y\ny\ny\ny\ny\n"


def test_working_directory_and_environment(world: World, web: str) -> None:
    options = ("--workdir", "/tmp", "--env", "A=1 2", "--env", "B=")
    ended = world.run("sandbox", "exec", "-n", web, *options, "--", "sh", "-c", 'pwd; echo "[$A][$B]"').ok()
    assert ended.out == b"/tmp\n[1 2][]\n"


def test_a_timeout_ends_the_whole_group(world: World, web: str) -> None:
    script = "sleep 987 & sleep 987"
    assert world.run("sandbox", "exec", "-n", web, "--timeout", "0.5", "--", "sh", "-c", script).status == 124
    assert b"sleep 987" not in _processes(world, web)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_losing_the_client_ends_the_command(world: World, web: str, number: int) -> None:
    script = "echo started; exec sleep 876"
    process = world.popen("sandbox", "exec", "-n", web, "--", "sh", "-c", script, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    process.send_signal(number)
    process.communicate()
    gone = "for i in $(seq 500); do pgrep -f 'sleep 87[6]' >/dev/null || exit 0; sleep 0.02; done; exit 1"
    assert world.run("sandbox", "exec", "-n", web, "--", "sh", "-c", gone).status == 0


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (["no-such-command"], 127, "no-such-command"),
        (["/etc/passwd"], 127, "ermission denied"),
        (["/tmp"], 127, "/tmp"),
        (["x"] * 1025, 2, "1025 arguments are over the limit of 1024"),
    ],
)
def test_a_command_that_cannot_run(world: World, web: str, command: list[str], status: int, said: str) -> None:
    ended = world.run("sandbox", "exec", "-n", web, "--", *command)
    assert (ended.status, said in ended.err) == (status, True), ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_twenty_at_once(world: World, web: str) -> None:
    running = [
        world.popen(
            "sandbox", "exec", "-n", web, "--", "echo", str(n), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        for n in range(20)
    ]
    assert [process.communicate(timeout=60)[0] for process in running] == [b"%d\n" % n for n in range(20)]
    assert {process.returncode for process in running} == {0}


def _openshell() -> list[str]:
    from tests.support.world import OPENSHELL

    return OPENSHELL


def _processes(world: World, web: str) -> bytes:
    return world.run("sandbox", "exec", "-n", web, "--", "ps", "-eo", "args").ok().out

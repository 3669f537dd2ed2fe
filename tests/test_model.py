"""Proof of `model.py`: names, targets and commands are checked where they are built."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import (
    ARGUMENT_MAX,
    ARGV_ENV_MAX,
    ARGV_MAX,
    NAME_MAX,
    PROBE_MAX,
    AcceptTarget,
    ExecSpec,
    ExecTarget,
    FilesTarget,
    ListenTarget,
    Phase,
    PortsTarget,
    Probe,
    ProbeTarget,
    SshTarget,
    TcpTarget,
    UdpTarget,
    check_label,
    check_name,
    is_id,
    new_id,
    parse_bind,
    parse_loopback,
)


def refused(message: str) -> object:
    return pytest.raises(OpenShellError, match=message)


@pytest.mark.parametrize("name", ["a", "web", "a-b", "0", "a" * NAME_MAX])
def test_names_that_are_dns_labels(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a/b", "a\n", "a b", "a.b", "ä", "a" * (NAME_MAX + 1), "../x"])
def test_names_that_are_not(name: str) -> None:
    with refused("is not valid"):
        check_name(name)


def test_labels() -> None:
    check_label("team/x", "a.b_c")
    check_label("k", "")
    for key, value in [("", "v"), ("k=", "v"), ("k", "a,b"), ("k", "v" * 64), ("k\n", "v")]:
        with refused("label"):
            check_label(key, value)


def test_ids() -> None:
    assert is_id(new_id())
    assert not is_id("web")
    assert not is_id(new_id().upper() + "x")


@pytest.mark.parametrize(
    ("host", "dialled"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("127.9.8.7", "127.9.8.7"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_loopback_hosts(host: str, dialled: str) -> None:
    assert TcpTarget(host, 80).host == dialled


@pytest.mark.parametrize(
    "host",
    [
        "", "0.0.0.0", "::", "169.254.169.254", "::ffff:10.0.0.1", "localhost.evil", "LOCALHOST.", "0x7f000001",
        "2130706433", "127.1", "0177.0.0.1", "127.0.0.1 ", "127.0.0.1\n", "::1%lo", "10.0.0.1", "fe80::1",
        "example.com", "127.0.0.1\0",
    ],
)  # fmt: skip
def test_hosts_that_are_not_loopback(host: str) -> None:
    with refused("is not a loopback address"):
        TcpTarget(host, 80)


@given(st.text(max_size=40))
def test_whatever_is_accepted_is_a_loopback_literal(host: str) -> None:
    try:
        dialled = parse_loopback(host)
    except OpenShellError as error:
        assert error.code is Code.INVALID
    else:
        assert ipaddress.ip_address(dialled).is_loopback


@pytest.mark.parametrize(("port", "good"), [(0, False), (1, True), (65535, True), (65536, False), (-1, False)])
def test_ports(port: int, good: bool) -> None:
    if good:
        assert TcpTarget("::1", port).port == port
    else:
        with refused("out of range"):
            TcpTarget("::1", port)


def test_targets_name_themselves() -> None:
    words = [
        str(t)
        for t in (
            SshTarget("ssh-ed25519 AAAA"),
            TcpTarget("::1", 1),
            TcpTarget("localhost", 2),
            ExecTarget(),
            FilesTarget(),
            UdpTarget("::1", 53),
            UdpTarget("localhost", 53),
            ListenTarget(80),
            AcceptTarget(new_id()),
            ProbeTarget(Probe.ECHO),
            PortsTarget(),
        )
    ]
    assert words == [
        "ssh", "tcp [::1]:1", "tcp 127.0.0.1:2", "exec", "files",
        "udp [::1]:53", "udp 127.0.0.1:53", "listen 80", "accept", "probe echo", "ports",
    ]  # fmt: skip


@pytest.mark.parametrize(("limit", "good"), [(0, False), (1, True), (1000, True), (1001, False)])
def test_limits_of_a_listener(limit: int, good: bool) -> None:
    if good:
        assert ListenTarget(80, limit, limit).per_minute == limit
        return
    with refused("is not within 1 to 1000"):
        ListenTarget(80, limit, 1)
    with refused("is not within 1 to 1000"):
        ListenTarget(80, 1, limit)


@pytest.mark.parametrize(("size", "good"), [(-1, False), (0, True), (PROBE_MAX, True), (PROBE_MAX + 1, False)])
def test_the_size_of_a_probe(size: int, good: bool) -> None:
    if good:
        assert ProbeTarget(Probe.GENERATE, size).size == size
    else:
        with refused("is not within"):
            ProbeTarget(Probe.GENERATE, size)


def test_a_connection_is_accepted_by_its_id() -> None:
    with refused("no valid id"):
        AcceptTarget("web")


def test_argument_count() -> None:
    assert len(ExecSpec(("x",) * ARGV_MAX).argv) == ARGV_MAX
    with refused("1025 arguments are over the limit of 1024"):
        ExecSpec(("x",) * (ARGV_MAX + 1))


def test_argument_size() -> None:
    ExecSpec(("x", "y" * ARGUMENT_MAX))
    with refused("131072 bytes, over the limit of 131071 bytes"):
        ExecSpec(("x", "y" * (ARGUMENT_MAX + 1)))


@pytest.mark.parametrize(("excess", "good"), [(-1, True), (0, True), (1, False)])
def test_argv_and_environment_together(excess: int, good: bool) -> None:
    env = {f"K{i}": "v" * 99_995 for i in range(10)}  # 10 x (2 + 1 + 99,995 + 1)
    used = len("x") + 1 + sum(len(k) + 1 + len(v) + 1 for k, v in env.items())
    env["L"] = "v" * (ARGV_ENV_MAX - used - 3 + excess)
    if good:
        ExecSpec(("x",), env)
    else:
        with refused("over the limit of 1048576 bytes"):
            ExecSpec(("x",), env)


@pytest.mark.parametrize(
    ("argv", "env", "workdir", "message"),
    [
        ((), {}, "", "no command"),
        (("",), {}, "", "no command"),
        (("a\0b",), {}, "", "NUL"),
        (("a",), {"K": "a\0b"}, "", "NUL"),
        (("a",), {"K=": "v"}, "", "environment name"),
        (("a",), {"": "v"}, "", "environment name"),
        (("a",), {}, "rel", "not absolute"),
        (("a",), {}, "/a\0", "NUL"),
    ],
)
def test_impossible_commands(argv: tuple[str, ...], env: dict[str, str], workdir: str, message: str) -> None:
    with refused(message):
        ExecSpec(argv, env, workdir)


@pytest.mark.parametrize("timeout", [-1.0, float("nan")])
def test_impossible_timeouts(timeout: float) -> None:
    with refused("timeout"):
        ExecSpec(("a",), timeout=timeout)


def test_phases_are_shown_as_words() -> None:
    assert Phase.COMPLETED.label == "Completed"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.0.0.0:17670", ("0.0.0.0", 17670)),
        ("127.0.0.1", ("127.0.0.1", None)),
        ("[::]:0", ("::", 0)),
        ("[::1]", ("::1", None)),
        ("2001:DB8::1", ("2001:db8::1", None)),
    ],
)
def test_where_to_listen(text: str, found: tuple[str, int | None]) -> None:
    assert parse_bind(text) == found


@pytest.mark.parametrize(
    "text", ["", "lab:1", ":17670", "0.0.0.0:", "0.0.0.0:65536", "1.2.3:4", "[1.2.3", "fe80::1%lo"]
)
def test_nowhere_to_listen(text: str) -> None:
    with pytest.raises(OpenShellError, match="nowhere to listen") as caught:
        parse_bind(text)
    assert caught.value.code is Code.INVALID

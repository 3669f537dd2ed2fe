from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import (
    AcceptTarget,
    ExecSpec,
    ExecTarget,
    FilesTarget,
    ListenTarget,
    PortsTarget,
    Probe,
    ProbeTarget,
    SshTarget,
    Target,
    TcpTarget,
    TerminalSize,
    UdpTarget,
)
from pyopenshell.wire.convert import (
    common_features,
    duration,
    exec_request_spec,
    exec_spec,
    exec_start,
    exit_status,
    put_target,
    seconds_of_duration,
    seconds_of_timestamp,
    target_of,
    timestamp,
    workspace_of,
)
from pyopenshell.wire.openshell.datamodel.v1.datamodel_pb2 import AllWorkspaces, WorkspaceSelector
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

OURS: list[Target] = [
    ExecTarget(),
    FilesTarget(),
    UdpTarget("127.0.0.1", 53),
    ListenTarget(8000, 4, 30),
    AcceptTarget("01234567-89ab-cdef-0123-456789abcdef"),
    ProbeTarget(Probe.ECHO),
    ProbeTarget(Probe.GENERATE, 1 << 20),
    PortsTarget(),
    PortsTarget(watch=True),
]
TARGETS: list[Target] = [SshTarget(), SshTarget("ssh-ed25519 AAAA"), TcpTarget("::1", 80), *OURS]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("kind", [pb.TcpForwardInit, pb.RelayOpen])
def test_targets_there_and_back(kind: type[pb.TcpForwardInit] | type[pb.RelayOpen], target: Target) -> None:
    message = kind()
    put_target(message, target)
    assert target_of(kind.FromString(message.SerializeToString())) == target


@pytest.mark.parametrize("target", TARGETS[:3], ids=str)
def test_a_token_is_bound_to_ssh_or_tcp(target: Target) -> None:
    message = pb.SessionTarget()
    put_target(message, target)
    assert target_of(message) == target


@pytest.mark.parametrize("target", TARGETS[3:], ids=str)
def test_a_token_is_bound_to_nothing_else(target: Target) -> None:
    with pytest.raises(OpenShellError, match="token"):
        put_target(pb.SessionTarget(), target)


@pytest.mark.parametrize(
    "message",
    [
        pb.TcpForwardInit(udp=pb.UdpTarget(host="10.0.0.1", port=53)),
        pb.TcpForwardInit(listen=pb.ListenTarget(port=0, max_connections=1, per_minute=1)),
        pb.TcpForwardInit(listen=pb.ListenTarget(port=80)),
        pb.TcpForwardInit(accept=pb.AcceptTarget(id="not an id")),
        pb.TcpForwardInit(probe=pb.ProbeTarget()),
        pb.TcpForwardInit(probe=pb.ProbeTarget(service=pb.ProbeTarget.SERVICE_GENERATE, bytes=1 << 60)),
    ],
    ids=lambda message: message.WhichOneof("target"),
)
def test_a_target_of_ours_that_cannot_be_is_invalid(message: pb.TcpForwardInit) -> None:
    with pytest.raises(OpenShellError) as caught:
        target_of(message)
    assert caught.value.code is Code.INVALID


def test_no_target_is_none() -> None:
    assert target_of(pb.TcpForwardInit(sandbox="x")) is None


def test_the_key_beside_the_target_counts_first() -> None:
    init = pb.TcpForwardInit(ssh=pb.SshRelayTarget(ssh_authorized_key="a"), ssh_authorized_key="b")
    assert target_of(init) == SshTarget("b")


@pytest.mark.parametrize(
    ("host", "port"), [("10.0.0.1", 80), ("example.com", 80), ("", 80), ("127.0.0.1", 0), ("::1", 65536)]
)
def test_what_may_not_be_dialled_is_invalid(host: str, port: int) -> None:
    with pytest.raises(OpenShellError) as caught:
        target_of(pb.TcpForwardInit(tcp=pb.TcpRelayTarget(host=host, port=port)))
    assert caught.value.code is Code.INVALID


def test_localhost_is_read_as_an_address() -> None:
    assert target_of(pb.RelayOpen(tcp=pb.TcpRelayTarget(host="localhost", port=1))) == TcpTarget("127.0.0.1", 1)


@pytest.mark.parametrize("asked", ["", "default", WorkspaceSelector(), WorkspaceSelector(workspace="default")])
def test_the_default_workspace(asked: str | WorkspaceSelector) -> None:
    assert workspace_of(asked) == "default"


def test_all_workspaces_are_the_one_there_is() -> None:
    assert workspace_of(WorkspaceSelector(all_workspaces=AllWorkspaces())) == "default"


def test_other_workspaces() -> None:
    with pytest.raises(OpenShellError) as caught:
        workspace_of("other")
    assert caught.value.code is Code.NOT_FOUND
    with pytest.raises(OpenShellError) as caught:
        workspace_of("No!")
    assert caught.value.code is Code.INVALID


SPECS = [
    ExecSpec(("true",)),
    ExecSpec(
        ("sh", "-c", "\u00e9", "\udcff"), {"A": "b=c\udcfe", "E": ""}, "/sandbox", True, TerminalSize(120, 40), 1.5
    ),
]


@pytest.mark.parametrize("spec", SPECS)
def test_commands_there_and_back(spec: ExecSpec) -> None:
    assert exec_spec(pb.ExecStart.FromString(exec_start(spec).SerializeToString())) == spec


def test_an_environment_name_that_is_not_utf8_is_invalid() -> None:
    with pytest.raises(OpenShellError, match="UTF-8"):
        exec_start(ExecSpec(("x",), {"\udcff": "v"}))


@pytest.mark.parametrize("start", [pb.ExecStart(), pb.ExecStart(argv=[b""]), pb.ExecStart(argv=[b"x"], workdir=b"rel")])
def test_a_command_that_cannot_be_is_invalid(start: pb.ExecStart) -> None:
    with pytest.raises(OpenShellError) as caught:
        exec_spec(start)
    assert caught.value.code is Code.INVALID


def test_a_terminal_without_a_size_has_the_usual_one() -> None:
    assert exec_spec(pb.ExecStart(argv=[b"x"], tty=True)).terminal == TerminalSize(80, 24)
    assert exec_spec(pb.ExecStart(argv=[b"x"], tty=True, cols=10**6, rows=1)).terminal == TerminalSize(65535, 1)


def test_the_request_of_the_contract() -> None:
    request = pb.ExecSandboxRequest(
        command=["ls", "-l"], workdir="/", environment={"A": "b"}, tty=True, cols=100, rows=50
    )
    request.execution_timeout.seconds = 3
    expected = ExecSpec(("ls", "-l"), {"A": "b"}, "/", True, TerminalSize(100, 50), 3.0)
    assert exec_request_spec(request) == expected
    request.no_login_shell = True
    assert not exec_request_spec(request).login


@pytest.mark.parametrize(
    ("how", "status"),
    [
        (pb.ExecExit(code=0), 0),
        (pb.ExecExit(code=7), 7),
        (pb.ExecExit(signal=15), 143),
        (pb.ExecExit(timed_out=True), 124),
    ],
)
def test_exit_statuses(how: pb.ExecExit, status: int) -> None:
    assert exit_status(how) == status


def test_a_command_that_never_ran_says_why() -> None:
    with pytest.raises(OpenShellError, match=r"no such\\x1b file") as caught:
        exit_status(pb.ExecExit(start_error="no such\x1b file"))
    assert caught.value.code is Code.PRECONDITION
    with pytest.raises(OpenShellError) as caught:
        exit_status(pb.ExecExit())
    assert caught.value.code is Code.BROKEN


@pytest.mark.parametrize("seconds", [0.0, 1.0, 1_763_912_345.123456])
def test_times_there_and_back(seconds: float) -> None:
    assert seconds_of_timestamp(timestamp(seconds)) == pytest.approx(seconds, abs=1e-6)
    assert seconds_of_duration(duration(seconds)) == pytest.approx(seconds, abs=1e-6)


def test_features_in_common() -> None:
    assert common_features([1, 2], [2, 3, 1], [1]) == {1}
    assert common_features([1], []) == frozenset()
    assert common_features() == frozenset()

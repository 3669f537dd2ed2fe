"""The machines themselves: what the tests between machines rest on is proved here, above all that the firewall refuses."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.machines import Machine, Machines, children, missing

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(bool(missing()), reason=missing())]


def reaches(near: Machine, far: Machine, port: int) -> bool:
    """Whether a program on `near` can connect to `port` of `far`."""
    with contextlib.suppress(ConnectionRefusedError), near.connect((far.address, port)):
        return True
    return False


def test_each_is_a_machine_of_its_own(machines: Machines) -> None:
    for machine in (machines.user, machines.gateway, machines.host):
        told = machine.command(["sh", "-c", "uname -n; ps ax | wc -l; cat /etc/hosts; ip -br address show dev eth0"])
        name, processes, *rest = told.ok().text.splitlines()
        assert name == machine.name
        assert int(processes) < 10, "it sees processes of others"
        assert "10.77.2.2 gateway.test" in rest
        assert machine.address in rest[-1]


def test_the_host_dials_out_and_refuses_every_connection_to_it(machines: Machines) -> None:
    host, gateway = machines.host, machines.gateway
    with host.listen() as listener, gateway.listen() as out:
        port = listener.getsockname()[1]
        for near in (gateway, machines.user):
            assert not reaches(near, host, port)
        assert reaches(host, gateway, out.getsockname()[1]), "outbound connections have to pass"
        machines.open_firewall(host)
        try:
            assert reaches(gateway, host, port), "without the rule it is reachable, so the rule is what refuses"
        finally:
            machines.close_firewall(host)
        assert not reaches(gateway, host, port)


def test_a_cable_that_is_pulled_carries_nothing_and_breaks_nothing(machines: Machines) -> None:
    with machines.gateway.listen() as listener:
        port = listener.getsockname()[1]
        with machines.user.connect((machines.gateway.address, port)) as near, listener.accept()[0] as far:
            machines.pull(machines.user)
            near.sendall(b"later")
            seen = machines.user.command(["ip", "address", "show", "dev", "eth0"]).ok().text
            assert not select.select([far], [], [], 0)[0]
            machines.plug(machines.user)
            assert far.recv(10) == b"later"
    assert "NO-CARRIER" in seen
    assert machines.user.address in seen, "a pulled cable takes no address away"


def test_another_address_is_another_peer(machines: Machines) -> None:
    old = machines.user.address
    with machines.gateway.listen() as listener:
        where = (machines.gateway.address, listener.getsockname()[1])
        machines.move(machines.user, "10.77.1.77")
        try:
            with machines.user.connect(where), listener.accept()[0] as far:
                assert far.getpeername()[0] == "10.77.1.77"
        finally:
            machines.move(machines.user, old)


def test_a_signal_reaches_the_program(machines: Machines) -> None:
    with machines.user.start(["sh", "-c", "trap 'echo heard; exit 5' TERM; echo up; sleep 1000 & wait"],
                             stdout=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.terminate()
        assert process.stdout.readline() == b"heard\n"
        assert process.wait() == 5


def test_everything_on_a_machine_ends_with_it(tmp_path: Path) -> None:
    with Machines(tmp_path) as machines:
        with machines.user.start(["setsid", "sh", "-c", "sleep 1000 & echo up"], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
        held = [os.pidfd_open(child) for child in children(machines.user.pid)]
        assert held, "what its parent left is the first process's child"
    try:
        for descriptor in held:
            assert select.select([descriptor], [], [], 30)[0]
    finally:
        for descriptor in held:
            os.close(descriptor)


def test_no_route_leads_out_of_the_three(machines: Machines) -> None:
    with pytest.raises(OSError, match="unreachable"), machines.user.connect(("192.0.2.1", 9)):
        pass
    assert socket.gethostname() != machines.user.name

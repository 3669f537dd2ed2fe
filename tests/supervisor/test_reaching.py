"""TLS in a child of the lean zygote, and how a gateway that is not trusted is told from a token that is refused."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.local import LocalDriver
from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.drivers.zygote import _ENVIRONMENT
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.ids import RANGE_FIRST, range_ids
from pyopenshell.model import SandboxSpec, new_id
from pyopenshell.streams import server_context
from pyopenshell.supervisor.birth import SupervisorBirth
from pyopenshell.supervisor.reaching import connector
from tests.support.fake_gateway import FakeGateway
from tests.support.stream_pairs import make_pki
from tests.support.waiting import until


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pki(tmp_path_factory.mktemp("pki"))


def birth(remote: RemoteGateway | None, directory: int = -1) -> SupervisorBirth:
    return SupervisorBirth(
        sandbox_id=new_id(),
        name="web",
        spec=SandboxSpec(),
        token="secret",
        host_key="PEM",
        ids=range_ids(0x80000),
        gateway_socket="supervisor.sock",
        gateway_directory=directory,
        run_directory=-1,
        orders=socket.socket(),
        lifetime=-1,
        presence=-1,
        remote=remote,
    )


async def test_a_gateway_of_this_machine_is_a_socket(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_PATH)
    async with FakeGateway(tmp_path):
        born = birth(None, directory)
        channel = await connector(born)()
        assert await channel.ping() >= 0
        await channel.close()
    born.orders.close()
    os.close(directory)


async def test_a_certificate_that_is_not_trusted_is_tried_again(tmp_path: Path, pki: Path) -> None:
    async with FakeGateway(tmp_path, tls=server_context(pki / "tls.crt", pki / "tls.key")) as gateway:
        born = birth(RemoteGateway("localhost", gateway.port, (pki / "other.crt").read_text()))
        with pytest.raises(OpenShellError, match="not trusted") as caught:
            await connector(born)()
        assert caught.value.code is Code.UNAVAILABLE
        born.orders.close()
        born = birth(RemoteGateway("localhost", gateway.port, (pki / "ca.crt").read_text()))
        channel = await connector(born)()
        assert await channel.ping() >= 0
        await channel.close()
        await gateway.stop()
        with pytest.raises(OpenShellError, match="cannot connect") as caught:
            await connector(born)()
        assert caught.value.code is Code.UNAVAILABLE
        born.orders.close()


def test_what_is_no_authority_is_refused() -> None:
    born = birth(RemoteGateway("localhost", 1, "rubbish"))
    with pytest.raises(OpenShellError, match="CA certificate"):
        connector(born)
    born.orders.close()


#: A child of the lean zygote: nothing but the resolver's files may be opened once its gateway is to be reached.
CHILD = """
import sys
from pyopenshell.supervisor import lean
lean.leave_out()
from pyopenshell.supervisor.entries import load
load()
assert sys.modules["ssl"] is None
import asyncio
from types import SimpleNamespace
from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.supervisor.reaching import connector
connect = connector(SimpleNamespace(remote=RemoteGateway("localhost", int(sys.argv[1]), sys.stdin.read())))
allowed = ("/etc/", "/proc/", "/sys/", "/dev/")
late = []
def look(event, arguments):
    if event in ("import", "open") and not str(arguments[0]).startswith(allowed):
        late.append((event, str(arguments[0])))
async def main():
    sys.addaudithook(look)
    for _ in range(2):
        channel = await connect()
        await channel.ping()
        await channel.close()
asyncio.run(main())
print(late)
"""


async def test_tls_comes_into_a_lean_child_and_nothing_is_loaded_later(tmp_path: Path, pki: Path) -> None:
    async with FakeGateway(tmp_path, tls=server_context(pki / "tls.crt", pki / "tls.key")) as gateway:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CHILD, str(gateway.port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_ENVIRONMENT,
        )
        out, err = await child.communicate((pki / "ca.crt").read_bytes())
        assert (child.returncode, out) == (0, b"[]\n"), err.decode()


@pytest.mark.e2e
async def test_a_real_supervisor_serves_over_tls_and_so_does_its_successor(tmp_path: Path, pki: Path) -> None:
    driver = LocalDriver(tmp_path / "sandboxes")
    async with FakeGateway(tmp_path, tls=server_context(pki / "tls.crt", pki / "tls.key")) as gateway:
        told = Birth(
            sandbox_id=new_id(),
            name="far",
            spec=SandboxSpec(),
            token="token",
            host_key="",
            gateway_socket="",
            id_base=RANGE_FIRST if os.geteuid() == 0 else 0,
            lifetime_gateway=True,
            remote=RemoteGateway("localhost", gateway.port, (pki / "ca.crt").read_text()),
        )
        try:
            await driver.start(told)
            first = await gateway.connected()
            assert (first.hello.sandbox_id, first.authorization) == (told.sandbox_id, "Bearer token")
            (supervisor,) = [each for each in await driver.processes(told.sandbox_id) if each.kind == "supervisor"]
            assert not any(word in shown(supervisor.pid) for word in (b"localhost", b"CERTIFICATE", b"token"))
            assert established(gateway.port) == 1
            os.kill(supervisor.pid, 9)
            second = await gateway.connected()
            assert second.hello.sandbox_id == told.sandbox_id
            await until(lambda: established(gateway.port) == 1)
        finally:
            await driver.delete(told.sandbox_id)
            await driver.close()


def shown(pid: int) -> bytes:
    """Arguments and environment of a process, which is not dumpable: root alone may read its environment."""
    names = ("cmdline", "environ") if os.geteuid() == 0 else ("cmdline",)
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in names)


def established(port: int) -> int:
    """TCP connections to a loopback port, counted once; proc_net_tcp: state 01 is ESTABLISHED."""
    lines = [line.split() for path in ("tcp", "tcp6") for line in Path(f"/proc/net/{path}").read_text().splitlines()]
    return sum(line[2].endswith(f":{port:04X}") and line[3] == "01" for line in lines)

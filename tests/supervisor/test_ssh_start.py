"""Starting an SSH child: the test plays the zygote and the child."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace

import asyncssh
import pytest

from pyopenshell.drivers.messages import close_all, pair, readable, receive_message, send_message
from pyopenshell.drivers.orders import OrderKind, receive_order
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.ids import range_ids
from pyopenshell.model import new_id
from pyopenshell.supervisor import ssh_start
from pyopenshell.supervisor.ssh_start import KEY_MAX, SshStarter, check_key, values

SANDBOX = new_id()


class Init:
    """Hands out spawn sockets; its one namespace is the root directory."""

    def __init__(self) -> None:
        self.namespaces = {"user": os.open("/", os.O_RDONLY)}
        self.theirs: list[socket.socket] = []

    async def spawn_socket(self) -> socket.socket:
        ours, theirs = pair()
        self.theirs.append(theirs)
        return ours


class Stage:
    def __init__(self) -> None:
        self.orders, asked = pair()
        self.orders.setblocking(False)
        self.init = Init()
        birth = SimpleNamespace(orders=asked, sandbox_id=SANDBOX, name="web", host_key="PEM", ids=range_ids(0x80000))
        self.starter = SshStarter(birth, self.init)  # type: ignore[arg-type]
        self.asked = asked

    async def child(self) -> tuple[socket.socket, dict[str, object], list[int]]:
        """The config socket of the child that was ordered, what it was told, and its descriptors."""
        await readable(self.orders.fileno())
        got = receive_order(self.orders)
        assert got is not None
        order, fds = got
        assert (order.kind, order.sandbox_id) == (OrderKind.SSH, SANDBOX)
        config = socket.socket(fileno=fds[0])
        await readable(config.fileno())
        message = receive_message(config)
        assert message is not None
        return config, *message

    async def close(self) -> None:
        await self.starter.close()
        for sock in (self.orders, self.asked, *self.init.theirs):
            sock.close()
        os.close(self.init.namespaces["user"])


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.close()


async def test_a_child_is_told_everything_and_its_stream_handed_out(stage: Stage) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    starting = asyncio.create_task(stage.starter(key))
    config, told, fds = await stage.child()
    assert told == {**values("web", "PEM", range_ids(0x80000)), "namespaces": ["user"]}
    relay = socket.socket(fileno=fds[0])
    send_message(config, {"ready": True})
    stream = await starting
    await readable(config.fileno())
    assert receive_message(config) == ({"authorized_key": key}, [])
    relay.send(b"SSH-2.0")
    assert bytes(await stream.read()) == b"SSH-2.0"
    stream.abort()
    await asyncio.sleep(0)
    config.close()
    relay.close()
    close_all(fds[1:])


async def test_its_reason_is_passed_on_in_clean_words(stage: Stage) -> None:
    starting = asyncio.create_task(stage.starter(""))
    config, _, fds = await stage.child()
    send_message(config, {"failed": "no\x1b[31m way"})
    with pytest.raises(OpenShellError, match=r"did not start: no\\x1b\[31m way") as failed:
        await starting
    assert failed.value.code is Code.UNAVAILABLE
    config.close()
    close_all(fds)


async def test_a_child_that_dies_is_no_hang(stage: Stage) -> None:
    starting = asyncio.create_task(stage.starter(""))
    config, _, fds = await stage.child()
    config.close()
    close_all(fds)
    with pytest.raises(OpenShellError, match="ended before it served"):
        await starting


async def test_a_child_that_says_rubbish(stage: Stage) -> None:
    starting = asyncio.create_task(stage.starter(""))
    config, _, fds = await stage.child()
    config.send(b"rubbish")
    with pytest.raises(OpenShellError, match="did not start"):
        await starting
    config.close()
    close_all(fds)


async def test_a_child_that_says_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_start, "START_TIMEOUT", 0.01)
    with pytest.raises(OpenShellError, match="did not start within"):
        await stage.starter("")
    config, _, fds = await stage.child()
    config.close()
    close_all(fds)


async def test_a_zygote_that_is_gone(stage: Stage) -> None:
    stage.orders.close()
    with pytest.raises(OpenShellError, match="no SSH server can be started"):
        await stage.starter("")


async def connect(stage: Stage) -> tuple[socket.socket, list[int]]:
    """One connection with a child of its own; the child's config socket and descriptors."""
    starting = asyncio.create_task(stage.starter(""))
    config, _, fds = await stage.child()
    send_message(config, {"ready": True})
    (await starting).abort()
    return config, fds


async def spare(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> tuple[socket.socket, list[int]]:
    """The child that is made after a connection, which is ready when this returns."""
    monkeypatch.setattr(ssh_start, "SPARE_DELAY", 0.0)
    gone(*await connect(stage))
    config, _, fds = await stage.child()
    send_message(config, {"ready": True})
    return config, fds


def gone(config: socket.socket, fds: list[int]) -> None:
    config.close()
    close_all(fds)


async def test_the_next_connection_finds_a_child_that_is_ready(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    config, fds = await spare(stage, monkeypatch)
    monkeypatch.setattr(ssh_start, "SPARE_DELAY", 1000.0)
    stream = await stage.starter("")  # nothing is ordered: nobody would answer
    await readable(config.fileno())
    assert receive_message(config) == ({"authorized_key": ""}, [])
    stream.abort()
    gone(config, fds)


async def test_a_spare_that_was_killed_is_replaced(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    config, fds = await spare(stage, monkeypatch)
    gone(config, fds)
    monkeypatch.setattr(ssh_start, "SPARE_DELAY", 1000.0)
    gone(*await connect(stage))


async def test_a_spare_that_nobody_needs_is_let_go(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_start, "SPARE_IDLE", 0.0)
    config, fds = await spare(stage, monkeypatch)
    await readable(config.fileno())
    assert receive_message(config) is None
    gone(config, fds)


async def test_a_spare_that_cannot_start_is_no_failure(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_start, "SPARE_DELAY", 0.0)
    gone(*await connect(stage))
    config, _, fds = await stage.child()
    send_message(config, {"failed": "no room"})
    gone(config, fds)
    monkeypatch.setattr(ssh_start, "SPARE_DELAY", 1000.0)
    gone(*await connect(stage))


async def test_the_end_lets_a_spare_go(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    config, fds = await spare(stage, monkeypatch)
    await stage.starter.close()
    await stage.starter.close()
    await readable(config.fileno())
    with contextlib.suppress(ConnectionResetError):  # where "ready" was not read yet
        assert receive_message(config) is None
    gone(config, fds)


async def test_a_child_that_died_between_is_an_error(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_start, "_told", lambda child, _key: child.close())
    starting = asyncio.create_task(stage.starter(""))
    config, _, fds = await stage.child()
    send_message(config, {"ready": True})
    with pytest.raises(OpenShellError, match="ended before it served"):
        await starting
    gone(config, fds)


@pytest.mark.parametrize(
    "line", ["rubbish", "ssh-ed25519", "ssh-ed25519 AAAA\nssh-ed25519 BBBB", "x" * (KEY_MAX + 1), "\0"]
)
def test_what_is_no_key_is_refused(line: str) -> None:
    with pytest.raises(OpenShellError) as refused:
        check_key(line)
    assert refused.value.code is Code.INVALID


def test_no_key_is_allowed() -> None:
    check_key("")

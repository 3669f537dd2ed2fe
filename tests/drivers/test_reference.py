"""A sandbox's user namespace, from the kernel and from an init that may lie."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pyopenshell.drivers import reference
from pyopenshell.drivers.messages import close_all, send_message, wait_message
from pyopenshell.drivers.presence import Held
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import namespaces, process
from pyopenshell.linux.ids import single_ids


@pytest.fixture
def ours() -> Held:
    return Held(os.getpid(), process.own_start_time(), -1)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process may not look into process 1, which plays init."""
    real = os.open

    def refuse(path: str, *arguments: int, **options: int) -> int:
        if path == "/proc/1/ns/user":
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)

    monkeypatch.setattr(reference.os, "open", refuse)


def own_user_namespace() -> os.stat_result:
    return Path("/proc/self/ns/user").stat()


async def asked(run: Path, answer: Callable[[], Sequence[int]] | None) -> int:
    """Ask an init that answers with these descriptors, or hangs up."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(run / "init.sock"))
        listener.listen()
        listener.setblocking(False)

        async def serve() -> None:
            peer, _ = await loop.sock_accept(listener)
            with peer:
                peer.setblocking(False)
                assert await wait_message(peer) == ({"n": 0, "op": "hello"}, [])
                if answer is not None:
                    fds = answer()
                    send_message(peer, {"ok": {}}, fds)
                    close_all(fds)

        server = asyncio.create_task(serve())
        try:
            return await reference.user_namespace(Held(1, 0, -1), run)
        finally:
            await server


async def test_the_kernel_gives_it_where_it_may(ours: Held, tmp_path: Path) -> None:
    found = await reference.user_namespace(ours, tmp_path)
    assert os.path.samestat(os.fstat(found), own_user_namespace())
    os.close(found)


async def test_another_process_of_that_pid_is_not_init(ours: Held, tmp_path: Path) -> None:
    ours.start_time += 1
    with pytest.raises(OpenShellError, match="init is gone"):
        await reference.user_namespace(ours, tmp_path)
    with pytest.raises(OpenShellError, match="init is gone"):
        await reference.user_namespace(Held(2**22 + 1, 0, -1), tmp_path)


async def test_init_gives_it_where_the_kernel_does_not(blind: None, tmp_path: Path) -> None:
    made: list[os.stat_result] = []

    def answer() -> list[int]:
        userns = namespaces.make_user_namespace(single_ids())
        made.append(os.fstat(userns))
        return [userns, *(os.open("/proc/self/ns/net", os.O_RDONLY) for _ in range(6))]

    found = await asked(tmp_path, answer)
    assert os.path.samestat(os.fstat(found), made[0])
    os.close(found)


@pytest.mark.parametrize("link", ["/proc/self/ns/user", "/proc/self/ns/net", "/dev/null"])
async def test_what_is_no_child_of_our_user_namespace_is_refused(blind: None, tmp_path: Path, link: str) -> None:
    with pytest.raises(OpenShellError, match="did not answer with its user") as caught:
        await asked(tmp_path, lambda: [os.open(f"//{link}", os.O_RDONLY)])
    assert caught.value.code is Code.UNAVAILABLE


async def test_an_init_that_is_silent_or_gone(blind: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OpenShellError, match="does not answer"):
        await reference.user_namespace(Held(1, 0, -1), tmp_path)
    with pytest.raises(OpenShellError, match="did not answer with"):
        await asked(tmp_path, None)
    monkeypatch.setattr(reference, "ASK_TIMEOUT", 0)
    (tmp_path / "init.sock").unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "init.sock"))
        listener.listen()
        with pytest.raises(OpenShellError, match="does not answer"):
            await reference.user_namespace(Held(1, 0, -1), tmp_path)

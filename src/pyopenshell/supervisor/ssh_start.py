"""The supervisor's side of SSH children: order one, tell it everything, wait until it has entered, hand out the near end.

    order ─ forked ─ told ─ entered: {"ready"} ─ one connection: {"authorized_key"} ─ its end is the child's end

One child for one connection. A child takes some 15 ms to fork and to enter, most of what a connection costs here, so once
SSH was used the next child waits ready; where nobody connects for a while it is let go, so an idle sandbox has none. A spare
that was killed meanwhile (the sandbox's processes may) is replaced and nobody notices. What goes wrong otherwise is said as
the reason why the target could not be dialled.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyopenshell.drivers.configs import ids_to_json
from pyopenshell.drivers.messages import BadMessageError, pair, send_message, wait_message
from pyopenshell.drivers.orders import OrderKind, send_order
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.ids import Ids
from pyopenshell.streams.contract import ByteStream
from pyopenshell.streams.sockets import adopt
from pyopenshell.supervisor.birth import SupervisorBirth, send_ssh
from pyopenshell.supervisor.init_client import InitClient
from pyopenshell.text import clean

START_TIMEOUT = 10.0  # seconds for a child to enter; it takes some ten milliseconds
KEY_MAX = 16 * 1024  # bytes of a public key line: an RSA key of 16,384 bits is 3 KB
SPARE_DELAY = 0.25  # seconds from the begin of a connection to the making of the next child: a handshake goes first
SPARE_IDLE = 5.0  # seconds without a connection after which the spare child is let go: it is 6 MB for some 15 ms

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A child that has entered and waits for its connection."""

    near: socket.socket
    config: socket.socket

    def close(self) -> None:
        """Let it go: it ends."""
        self.near.close()
        self.config.close()


class SshStarter:
    """Starts SSH children for one sandbox."""

    def __init__(self, birth: SupervisorBirth, init: InitClient) -> None:
        self._birth = birth
        self._init = init
        self._spare: asyncio.Task[Child | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._living: set[socket.socket] = set()  # config sockets of children that serve: their end is the child's end
        birth.orders.setblocking(False)

    async def __call__(self, authorized_key: str) -> ByteStream:
        """A stream to a new SSH server. Raises INVALID for what is no public key, UNAVAILABLE with the reason."""
        check_key(authorized_key)
        child = await self._take()
        if child is None or not _told(child, authorized_key):
            child = await self._launch()
            if not _told(child, authorized_key):
                raise OpenShellError(Code.UNAVAILABLE, "the SSH server ended before it served")
        self._living.add(child.config)
        asyncio.get_running_loop().add_reader(child.config.fileno(), self._ended, child.config)
        self._later(SPARE_DELAY, self._refill)
        return await adopt(child.near)

    async def close(self) -> None:
        """Let the spare child go. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for config in list(self._living):
            self._forget(config)
        if self._spare is not None:
            self._spare.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                child = await self._take()
                if child is not None:
                    child.close()

    # --- the spare child ----------------------------------------------------------------------------------------------

    async def _take(self) -> Child | None:
        spare, self._spare = self._spare, None
        return None if spare is None else await spare

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, act)

    def _refill(self) -> None:
        if self._spare is None:
            self._spare = asyncio.create_task(self._prepare())
        self._later(SPARE_IDLE, self._drop)

    def _drop(self) -> None:
        if self._spare is not None:
            spare, self._spare = self._spare, None
            spare.add_done_callback(_let_go)

    def _ended(self, config: socket.socket) -> None:
        """A child has ended with its connection: the next one is likely near, and the processor is free."""
        self._forget(config)
        self._refill()

    def _forget(self, config: socket.socket) -> None:
        self._living.discard(config)
        asyncio.get_running_loop().remove_reader(config.fileno())
        config.close()

    async def _prepare(self) -> Child | None:
        try:
            return await self._launch()
        except OpenShellError as error:
            log.info("no spare SSH server: %s", error)
            return None

    # --- one child ----------------------------------------------------------------------------------------------------

    async def _launch(self) -> Child:
        near, far = socket.socketpair()
        ours, child = pair()
        try:
            with far, child, await self._init.spawn_socket() as spawn:
                self._order(child)
                told = values(self._birth.name, self._birth.host_key, self._birth.ids)
                send_ssh(ours, told, far.fileno(), spawn.fileno(), self._init.namespaces)
            ours.setblocking(False)
            await self._ready(ours)
        except BaseException:
            near.close()
            ours.close()
            raise
        return Child(near, ours)

    def _order(self, child: socket.socket) -> None:
        try:
            send_order(self._birth.orders, OrderKind.SSH, self._birth.sandbox_id, [child.fileno()])
        except OSError as error:
            raise OpenShellError(Code.UNAVAILABLE, f"no SSH server can be started: {error.strerror}") from error

    async def _ready(self, ours: socket.socket) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT):
                got = await wait_message(ours)
        except TimeoutError:
            raise OpenShellError(
                Code.UNAVAILABLE, f"the SSH server did not start within {START_TIMEOUT:.0f} s"
            ) from None
        except (OSError, BadMessageError) as error:
            raise OpenShellError(Code.UNAVAILABLE, f"the SSH server did not start: {error}") from error
        if got is None:
            raise OpenShellError(Code.UNAVAILABLE, "the SSH server ended before it served")
        message, _fds = got
        if not message.get("ready"):
            raise OpenShellError(
                Code.UNAVAILABLE, f"the SSH server did not start: {clean(str(message.get('failed')), 500)}"
            )


def values(name: str, host_key: str, ids: Ids) -> dict[str, Any]:
    """What the supervisor tells its SSH child, for `send_ssh`."""
    return {"name": name, "host_key": host_key, "ids": ids_to_json(ids)}


def _told(child: Child, authorized_key: str) -> bool:
    """Tell a child whom it serves; False, and it is let go, where it is dead."""
    try:
        send_message(child.config, {"authorized_key": authorized_key})
    except OSError:
        child.close()
        return False
    return True


def _let_go(spare: asyncio.Task[Child | None]) -> None:
    child = None if spare.cancelled() else spare.result()
    if child is not None:
        child.close()


def check_key(line: str) -> None:
    """Raise INVALID unless `line` is empty or has the form of one OpenSSH public key (RFC 4253 section 6.6).

    Whether its numbers are a key is the child's to find out: the library that knows is not loaded here.
    """
    if not line:
        return
    algorithm, _, rest = line.strip().partition(" ")
    try:
        if len(line) > KEY_MAX or "\n" in line.strip() or not algorithm:
            raise ValueError("not one line")
        blob = base64.b64decode(rest.split(" ", 1)[0], validate=True)
        if blob[: 4 + len(algorithm)] != len(algorithm).to_bytes(4, "big") + algorithm.encode("ascii"):
            raise ValueError("another algorithm inside")
    except ValueError as error:
        raise OpenShellError(Code.INVALID, "ssh_authorized_key is not an OpenSSH public key") from error

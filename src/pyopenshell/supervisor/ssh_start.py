"""The supervisor's side of an SSH child: order it, tell it everything, wait until it serves, hand out the near end.

One child for one relay. What goes wrong on the way is said as the reason why the target could not be dialled.
"""

from __future__ import annotations

import asyncio
import socket

import asyncssh

from pyopenshell.drivers.messages import BadMessageError, pair, wait_message
from pyopenshell.drivers.orders import OrderKind, send_order
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.contract import ByteStream
from pyopenshell.streams.sockets import adopt
from pyopenshell.supervisor.birth import SupervisorBirth, send_ssh
from pyopenshell.supervisor.init_client import InitClient
from pyopenshell.supervisor.ssh_child import values
from pyopenshell.wire.status import clean

START_TIMEOUT = 10.0  # seconds for a child to enter and serve; it takes some ten milliseconds
KEY_MAX = 16 * 1024  # bytes of a public key line: an RSA key of 16,384 bits is 3 KB


class SshStarter:
    """Starts SSH children for one sandbox."""

    def __init__(self, birth: SupervisorBirth, init: InitClient) -> None:
        self._birth = birth
        self._init = init
        birth.orders.setblocking(False)

    async def __call__(self, authorized_key: str) -> ByteStream:
        """A stream to a new SSH server. Raises INVALID for what is no public key, UNAVAILABLE with the reason."""
        check_key(authorized_key)
        near, far = socket.socketpair()
        ours, child = pair()
        try:
            with far, child, await self._init.spawn_socket() as spawn:
                self._order(child)
                told = values(self._birth.name, self._birth.host_key, authorized_key, self._birth.ids)
                send_ssh(ours, told, far.fileno(), spawn.fileno(), self._init.namespaces)
            ours.setblocking(False)
            await self._ready(ours)
            return await adopt(near)
        except BaseException:
            near.close()
            raise
        finally:
            ours.close()

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
            raise OpenShellError(Code.UNAVAILABLE, f"the SSH server did not start: {clean(str(message.get('failed')))}")


def check_key(line: str) -> None:
    """Raise INVALID unless `line` is empty or one OpenSSH public key."""
    if not line:
        return
    try:
        if len(line) > KEY_MAX or "\n" in line.strip():
            raise ValueError("not one line")
        asyncssh.import_public_key(line)
    except (ValueError, asyncssh.KeyImportError) as error:
        raise OpenShellError(Code.INVALID, "ssh_authorized_key is not an OpenSSH public key") from error

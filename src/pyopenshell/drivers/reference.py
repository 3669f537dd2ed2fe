"""A descriptor of a running sandbox's user namespace, by which every later descriptor of its namespaces is judged.

The driver has one from the sandbox's birth and loses it with itself. Then the kernel gives another where this process may
look into init (root). An ordinary user may not: init cannot be dumped. So init is asked, as its new owner, which the next
supervisor is a moment later; and because a sandbox is not believed, the answer must be a user namespace that this user made
directly below the gateway's own. Of those a sandbox has none but its own: what is made inside it lies deeper
(ioctl_ns(2)).
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from pyopenshell.drivers.messages import BadMessageError, close_all, send_message, wait_message
from pyopenshell.drivers.presence import Held
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import namespaces, process

#: init answers between two forks, so in milliseconds.
ASK_TIMEOUT = 10.0
_SOCKET = "init.sock"


async def user_namespace(init: Held, run: Path) -> int:
    """A descriptor of the user namespace of `init`, whose run directory is `run`. The sandbox must have no supervisor.

    Raises UNAVAILABLE where init is gone, does not answer, or answers with something else.
    """
    try:
        found = os.open(f"/proc/{init.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise OpenShellError(Code.UNAVAILABLE, "the sandbox's init is gone") from error
    except PermissionError:
        return await _asked(run)
    if process.is_alive(process.Identity(init.pid, init.start_time)):  # after the open: the pid was not another's
        return found
    os.close(found)
    raise OpenShellError(Code.UNAVAILABLE, "the sandbox's init is gone")


async def _asked(run: Path) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as sock:
        directory = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sock.connect(f"/proc/self/fd/{directory}/{_SOCKET}")
            send_message(sock, {"n": 0, "op": "hello"})
            async with asyncio.timeout(ASK_TIMEOUT):
                got = await wait_message(sock)
        except (OSError, TimeoutError, BadMessageError) as error:
            raise OpenShellError(Code.UNAVAILABLE, f"the sandbox's init does not answer: {error}") from error
        finally:
            os.close(directory)
    fds = got[1] if got is not None else []
    if not fds or not namespaces.is_child_of_ours(fds[0]):
        close_all(fds)
        raise OpenShellError(Code.UNAVAILABLE, "the sandbox's init did not answer with its user namespace")
    close_all(fds[1:])
    return fds[0]

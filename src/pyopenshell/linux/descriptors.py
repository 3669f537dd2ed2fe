"""Descriptors that pass between processes, and what may be believed of them.

A descriptor that comes from a sandbox is hostile: it may be a file that blocks for ever, a device, or another
sandbox's. So as many are taken as were announced,
never more, and each is asked what it is before it is used. All are close-on-exec (recvmsg with MSG_CMSG_CLOEXEC).
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import stat
from collections.abc import Sequence

from pyopenshell.errors import Code, OpenShellError

DESCRIPTORS_MAX = 253  # SCM_MAX_FD of Linux, unix(7)
_INT = array.array("i").itemsize
_TIOCGPTN = 0x8004_5430  # number of the PTY, answered by a master alone: ioctl_tty(2)
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def send(channel: socket.socket, data: bytes, fds: Sequence[int] = ()) -> None:
    """Send one SEQPACKET message with descriptors. Raises OSError (EAGAIN on a full non-blocking socket)."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    channel.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)


def receive(channel: socket.socket, limit: int, fds: int = 0) -> tuple[bytes, list[int]]:
    """Receive one message of at most `limit` bytes with at most `fds` descriptors; (b"", []) is the end of the channel.

    Raises BROKEN where the message or the descriptors were cut (more were sent than announced); none stays open then.
    """
    space = socket.CMSG_SPACE(fds * _INT) if fds else 0
    data, ancillary, flags, _ = channel.recvmsg(limit, space, socket.MSG_CMSG_CLOEXEC)
    received: list[int] = []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(payload[: len(payload) - len(payload) % _INT])
            received.extend(numbers)
    # CMSG_SPACE rounds up, so one descriptor more than asked for can fit without MSG_CTRUNC.
    if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC) or len(received) > fds:
        close_all(received)
        what = "message" if flags & socket.MSG_TRUNC else "descriptors"
        raise OpenShellError(Code.BROKEN, f"a peer sent more {what} than it may")
    return data, received


def close_all(fds: Sequence[int]) -> None:
    """Close every descriptor."""
    for fd in fds:
        os.close(fd)


def check_stream_socket(fd: int) -> None:
    """Raise BROKEN unless `fd` is a stream socket of the families INET, INET6 or UNIX that does not listen."""
    with _borrowed(fd, "stream socket") as borrowed:
        try:
            if borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM and not borrowed.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            ):
                return
        finally:
            borrowed.detach()
    raise _wrong("stream socket")


def check_packet_socket(fd: int) -> None:
    """Raise BROKEN unless `fd` is a Unix socket of type SEQPACKET that does not listen."""
    with _borrowed(fd, "packet socket") as borrowed:
        try:
            if borrowed.getsockopt(
                socket.SOL_SOCKET, socket.SO_TYPE
            ) == socket.SOCK_SEQPACKET and not borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return
        finally:
            borrowed.detach()
    raise _wrong("packet socket")


def _borrowed(fd: int, what: str) -> socket.socket:
    """A socket object over `fd` that the caller must detach; BROKEN unless it is a socket of a known family."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        raise _wrong(what)
    borrowed = socket.socket(fileno=fd)
    if borrowed.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        borrowed.detach()
        raise _wrong(what)
    return borrowed


def check_pipe(fd: int) -> None:
    """Raise BROKEN unless `fd` is a pipe or an open FIFO, which behave alike."""
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        raise _wrong("pipe")


def check_pty_master(fd: int) -> None:
    """Raise BROKEN unless `fd` is the master of a PTY (TIOCGPTN answers)."""
    if stat.S_ISCHR(os.fstat(fd).st_mode):
        try:
            fcntl.ioctl(fd, _TIOCGPTN, b"\0" * 4)
        except OSError as failure:
            raise _wrong("PTY master") from failure
        return
    raise _wrong("PTY master")


def _wrong(what: str) -> OpenShellError:
    return OpenShellError(Code.BROKEN, f"a descriptor from the sandbox is not a {what}")


def sealed_memfd(name: str, data: bytes) -> int:
    """An anonymous file that holds `data` and that nobody can change any more (memfd_create(2), F_ADD_SEALS), at
    offset 0.
    """
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        os.lseek(fd, 0, os.SEEK_SET)
    except OSError:
        os.close(fd)
        raise
    return fd


def read_sealed(fd: int, limit: int) -> bytes:
    """The bytes of a sealed memfd. Raises BROKEN where it is not sealed against writing and shrinking, or over
    `limit` bytes.
    """
    try:
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except OSError:
        seals = 0
    size = os.fstat(fd).st_size
    if seals & _SEALS != _SEALS or size > limit:
        raise OpenShellError(Code.BROKEN, "a peer sent an order that is not sealed or too long")
    return os.pread(fd, size, 0)

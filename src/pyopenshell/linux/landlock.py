"""Landlock: a second fence around the view, and the domain that keeps the processes of ours out of reach of the user's
(landlock(7)).

The mounts already say what may be written; the domain says it again for the case that a mount is wrong. It also keeps a
process of the sandbox from tracing
or signalling one outside its domain, which is what protects an SSH child that has the same id. All user processes share
init's domain, so they see each other as on one machine.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

from pyopenshell.linux import syscalls

ABI_MIN = 2  # version 1 (Linux 5.13) refuses every rename to another directory, which breaks git and mv
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_RULE_PATH = 1  # LANDLOCK_RULE_PATH_BENEATH

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
MAKE_CHAR = 1 << 6
MAKE_BLOCK = 1 << 11
_LAST_RIGHT = {2: 13, 3: 14, 4: 14, 5: 15}  # ABI: number of the last file right it knows (REFER, TRUNCATE, IOCTL_DEV)
_IOCTL_DEV = 1 << 15
_SCOPES = 0b11  # abstract Unix sockets and signals, from ABI 6 on
_SCOPES_ABI = 6
_LOOK = EXECUTE | READ_FILE | READ_DIR
_RULE = struct.Struct("=Qi")  # struct landlock_path_beneath_attr, packed


class _Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr: rights on files, rights on the network, scopes."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


_SIZES = {2: 8, 3: 8, 4: 16, 5: 16}  # bytes of the structure that each ABI knows


def abi() -> int:
    """The version of Landlock that this kernel enforces; 0 for none."""
    try:
        return syscalls.call("landlock_create_ruleset", None, 0, _VERSION)
    except OSError as failure:
        if failure.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return 0
        raise


def rights(version: int) -> int:
    """Every right on files that ABI `version` can take away."""
    return (1 << (_LAST_RIGHT.get(version, 15) + 1)) - 1


def restrict(writable: Sequence[str], version: int) -> bool:
    """Enter a domain where all may be read and run, and what lies below `writable` may be changed; no device is ever made.

    no_new_privs must be set. `version` is what abi() said; False and no domain where that is under 2. A path that is
    missing is passed over.
    """
    if version < ABI_MIN:
        return False
    handled = rights(version)
    ruleset = _Ruleset(handled, 0, _SCOPES if version >= _SCOPES_ABI else 0)
    fd = syscalls.call("landlock_create_ruleset", ruleset, _SIZES.get(version, 24), 0)
    try:
        _allow(fd, "/", _LOOK)
        for path in writable:
            _allow(fd, path, handled & ~(MAKE_CHAR | MAKE_BLOCK))
        syscalls.call("landlock_restrict_self", fd, 0)
    finally:
        os.close(fd)
    return True


def _allow(ruleset: int, path: str, allowed: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        syscalls.call("landlock_add_rule", ruleset, _RULE_PATH, _RULE.pack(allowed, fd), 0)
    finally:
        os.close(fd)

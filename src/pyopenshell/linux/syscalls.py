"""The one table of system calls that Python's standard library lacks, called through ctypes.

Each call goes through syscall(2) by its number, so that neither the C library's age nor a missing wrapper matters. A
failure is an
`OSError` whose text names the call, because an errno without the call says nothing about the cure. Nothing here decides
anything.
Numbers: linux/arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (aarch64).
"""

from __future__ import annotations

import ctypes
import os
import platform

# name: (x86_64, aarch64). Calls from 424 on have one number on every architecture.
_NUMBERS: dict[str, tuple[int, int]] = {
    "prctl": (157, 167),
    "pivot_root": (155, 41),
    "madvise": (28, 233),
    "mount": (165, 40),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "setns": (308, 268),
    "capget": (125, 90),
    "capset": (126, 91),
    "seccomp": (317, 277),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "close_range": (436, 436),
    "mount_setattr": (442, 442),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(platform.machine())

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REC = 1 << 14
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 4
MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_IDMAP = 0x0010_0000

PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_CAPABILITY_VERSION_3 = 0x2008_0522


class _MountAttr(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def call(name: str, *arguments: int | bytes | ctypes.Structure | ctypes.Array[ctypes.c_uint32] | None) -> int:
    """Do the system call `name`; bytes and structures are passed by address. Raises OSError with the name of the call."""
    if _COLUMN is None:
        raise OSError(38, f"{name}: no system call numbers are known for {platform.machine()}")
    values = [_pointer_or_long(argument) for argument in arguments]
    result = int(_syscall(ctypes.c_long(_NUMBERS[name][_COLUMN]), *values))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def _pointer_or_long(
    argument: int | bytes | ctypes.Structure | ctypes.Array[ctypes.c_uint32] | None,
) -> ctypes.c_long | ctypes.c_char_p | object:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    if argument is None or isinstance(argument, bytes):
        return ctypes.c_char_p(argument)
    return ctypes.byref(argument)


def unshare(flags: int) -> None:
    """unshare(2): give this process namespaces of its own."""
    call("unshare", flags)


def setns(fd: int, kind: int = 0) -> None:
    """setns(2): join the namespace behind `fd`; `kind` is its CLONE_NEW* flag, checked by the kernel."""
    call("setns", fd, kind)


def mount(source: str | None, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
    """mount(2). `kind` is the file system's type, `options` its own comma-separated data."""
    call("mount", _path(source), _path(target), _path(kind), flags, options.encode() if options else None)


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    call("umount2", _path(target), flags)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    call("pivot_root", _path(new_root), _path(put_old))


def open_tree(path: str, flags: int, directory: int = AT_FDCWD) -> int:
    """open_tree(2): a descriptor of a (cloned, detached) mount tree, close-on-exec."""
    return call("open_tree", directory, _path(path), flags | OPEN_TREE_CLOEXEC)


def attach(tree: int, target: str) -> None:
    """move_mount(2): attach the detached tree behind descriptor `tree` at `target`."""
    call("move_mount", tree, b"", AT_FDCWD, _path(target), MOVE_MOUNT_F_EMPTY_PATH)


def mount_setattr(tree: int | str, attributes: int, *, recursive: bool = True, userns: int = 0) -> None:
    """mount_setattr(2): set MOUNT_ATTR_* on a mount, given by descriptor or by path, and on all below it if `recursive`."""
    attr = _MountAttr(attr_set=attributes, attr_clr=0, propagation=0, userns_fd=userns)
    flags = AT_RECURSIVE if recursive else 0
    size = ctypes.sizeof(attr)
    if isinstance(tree, int):
        call("mount_setattr", tree, b"", flags | AT_EMPTY_PATH, attr, size)
    else:
        call("mount_setattr", AT_FDCWD, _path(tree), flags, attr, size)


def prctl(option: int, a: int | bytes = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
    """prctl(2)."""
    return call("prctl", option, a, b, c, d)


def capset(permitted: int, effective: int, inheritable: int = 0) -> None:
    """capset(2) on this thread; each argument is a mask of capability bits (capabilities(7))."""
    low = 0xFFFF_FFFF
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(
        effective & low, permitted & low, inheritable & low, effective >> 32, permitted >> 32, inheritable >> 32
    )
    call("capset", header, data)


def close_range(first: int, last: int) -> None:
    """close_range(2): close every descriptor from `first` to `last`, both included."""
    call("close_range", first, last, 0)


def _path(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)

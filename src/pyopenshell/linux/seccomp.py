"""The system call filter of a sandbox: a table of what is refused, compiled to classic BPF (seccomp(2)).

A deny list as a container engine's default amounts to: with no capability, most of what hurts is refused by the kernel
anyway; what is left is taken away here because it widens the
kernel's attack surface (bpf, io_uring, userfaultfd, keys, new user namespaces, odd socket families). Tracing stays
allowed: debuggers work.
An answer is always an errno, never a signal: a program that asks can go on without. clone3 answers ENOSYS, since its
flags lie in memory where a filter cannot
look; the C library then uses clone.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from pyopenshell.linux import syscalls

# refused with EPERM: name: (x86_64, aarch64), -1 where the architecture has no such call
REFUSED: dict[str, tuple[int, int]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "create_module": (174, -1),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, -1),
    "iopl": (172, -1),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "userfaultfd": (323, 282),
    "uselib": (134, -1),
}
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_UNSHARE = (272, 97)
_SOCKET = (41, 198)
_IOCTL = (16, 29)
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: all others answer EAFNOSUPPORT
TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: type into someone else's terminal (ioctl_tty(2))

_ARCHITECTURES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}  # column of the table, AUDIT_ARCH_*
_X32_BIT = 0x4000_0000  # system calls of the x32 ABI, whose numbers would slip past the table

# linux/filter.h, linux/bpf_common.h
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_JUMP_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
# struct seccomp_data
_NUMBER, _ARCH, _ARGUMENT_0, _ARGUMENT_1 = 0, 4, 16, 24  # the low halves: both architectures are little-endian
_ALLOW = 0x7FFF_0000
_ERRNO = 0x0005_0000
_SET_MODE_FILTER = 1
_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _step(code: int, value: int, when: int = 0, otherwise: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, when, otherwise, value)


def _answer(number: int) -> bytes:
    return _step(_RETURN, _ERRNO | number)


def build(machine: str) -> bytes:
    """The filter for `machine` as an array of struct sock_filter. Raises KeyError for an architecture without a table."""
    column, audit_arch = _ARCHITECTURES[machine]
    program = [
        _step(_LOAD, _ARCH),
        _step(_JUMP_EQUAL, audit_arch, when=1),
        _answer(errno.ENOSYS),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        program += [_step(_JUMP_AT_LEAST, _X32_BIT, otherwise=1), _answer(errno.ENOSYS)]
    for numbers in REFUSED.values():
        if numbers[column] >= 0:
            program += [_step(_JUMP_EQUAL, numbers[column], otherwise=1), _answer(errno.EPERM)]
    program += [_step(_JUMP_EQUAL, _CLONE3[column], otherwise=1), _answer(errno.ENOSYS)]
    for numbers in (_CLONE, _UNSHARE):
        program += [
            _step(_JUMP_EQUAL, numbers[column], otherwise=4),
            _step(_LOAD, _ARGUMENT_0),
            _step(_JUMP_ANY_BIT, syscalls.CLONE_NEWUSER, otherwise=1),
            _answer(errno.EPERM),
            _step(_RETURN, _ALLOW),
        ]
    program += _argument_is(_SOCKET[column], _ARGUMENT_0, FAMILIES, _step(_RETURN, _ALLOW), _answer(errno.EAFNOSUPPORT))
    program += _argument_is(
        _IOCTL[column], _ARGUMENT_1, TERMINAL_INJECTION, _answer(errno.EPERM), _step(_RETURN, _ALLOW)
    )
    program.append(_step(_RETURN, _ALLOW))
    return b"".join(program)


def _argument_is(number: int, argument: int, values: tuple[int, ...], if_one: bytes, if_none: bytes) -> list[bytes]:
    """For call `number`: `if_one` where its argument is one of `values`, else `if_none`; other calls pass on."""
    tests: list[bytes] = []
    for value in values:
        tests += [_step(_JUMP_EQUAL, value, otherwise=1), if_one]
    block = [_step(_LOAD, argument), *tests, if_none]
    return [_step(_JUMP_EQUAL, number, otherwise=len(block)), *block]


def install() -> bool:
    """Put the filter on this process for ever; no_new_privs must be set. False where the kernel has no filters or
    this machine no table.
    """
    if platform.machine() not in _ARCHITECTURES:
        return False
    code = build(platform.machine())
    try:
        syscalls.call("seccomp", _SET_MODE_FILTER, 0, _Program(len(code) // _INSTRUCTION.size, code))
    except OSError as failure:
        if failure.errno in (errno.ENOSYS, errno.EINVAL):
            return False
        raise
    return True

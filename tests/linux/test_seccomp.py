"""The filter as a machine would run it, for both architectures, and in the kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct

import pytest

from pyopenshell.linux import confine, seccomp, syscalls

from .conftest import in_child

ALLOW = 0x7FFF0000
COLUMNS = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
READ = {"x86_64": 0, "aarch64": 63}


def run(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """A machine for classic BPF: the answer of the filter to one call."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=IIQ6Q", number, COLUMNS[machine][1] if arch is None else arch, 0, *padded)
    program = list(struct.iter_unpack("=HBBI", seccomp.build(machine)))
    at, accumulator = 0, 0
    while True:
        code, when, otherwise, value = program[at]
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            return int(value)
        else:
            test = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            at += when if test else otherwise


def refusal(number: int) -> int:
    return 0x50000 | number


@pytest.mark.parametrize("machine", COLUMNS)
class TestTable:
    def test_each_named_call_is_refused_and_its_neighbours_in_no_table_pass(self, machine: str) -> None:
        column = COLUMNS[machine][0]
        numbers = {calls[column] for calls in seccomp.REFUSED.values()} - {-1}
        special = {table[column] for table in ((56, 220), (435, 435), (272, 97), (41, 198), (16, 29))}
        for number in range(500):
            if number in numbers:
                assert run(machine, number) == refusal(errno.EPERM)
            elif number not in special:
                assert run(machine, number) == ALLOW

    def test_clone3_is_unknown_so_that_the_library_uses_clone(self, machine: str) -> None:
        assert run(machine, 435) == refusal(errno.ENOSYS)

    @pytest.mark.parametrize("call", [(56, 220), (272, 97)])
    def test_a_new_user_namespace_is_refused_and_a_plain_fork_is_not(self, machine: str, call: tuple[int, int]) -> None:
        number = call[COLUMNS[machine][0]]
        assert run(machine, number, 0x11) == ALLOW
        assert run(machine, number, 0x10000000) == refusal(errno.EPERM)
        assert run(machine, number, 0x7E020011) == refusal(errno.EPERM)

    @pytest.mark.parametrize("family", range(46))
    def test_only_known_families_make_sockets(self, machine: str, family: int) -> None:
        answer = run(machine, (41, 198)[COLUMNS[machine][0]], family, 1, 0)
        assert answer == (ALLOW if family in (1, 2, 10, 16) else refusal(errno.EAFNOSUPPORT))

    @pytest.mark.parametrize(
        ("request_", "allowed"), [(0x5412, False), (0x541C, False), (0x5413, True), (0x5401, True)]
    )
    def test_nobody_types_into_a_terminal(self, machine: str, request_: int, allowed: bool) -> None:
        number = (16, 29)[COLUMNS[machine][0]]
        assert (run(machine, number, 5, request_) == ALLOW) is allowed
        assert (run(machine, number, 5, request_ | 1 << 40) == ALLOW) is allowed  # the kernel reads 32 bits

    def test_another_architecture_has_no_calls_at_all(self, machine: str) -> None:
        for arch in (0x40000003, 0x40000028, 0):  # i386, arm
            assert run(machine, READ[machine], arch=arch) == refusal(errno.ENOSYS)


def test_the_x32_numbers_do_not_slip_past() -> None:
    assert run("x86_64", 0x40000000 | 165) == refusal(errno.ENOSYS)
    assert run("x86_64", 0x40000000) == refusal(errno.ENOSYS)
    assert run("x86_64", 0x3FFFFFFF) == ALLOW


def test_a_machine_without_a_table_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert seccomp.install() is False


def test_a_kernel_without_filters_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, "seccomp")

    monkeypatch.setattr(syscalls, "call", refuse)
    number = errno.EINVAL
    assert seccomp.install() is False
    number = errno.EACCES
    with pytest.raises(OSError):
        seccomp.install()


def test_the_kernel_takes_it_and_obeys() -> None:
    def confined() -> dict[str, object]:
        confine.no_new_privs()
        seen: dict[str, object] = {"installed": seccomp.install()}
        library = ctypes.CDLL(None, use_errno=True)
        for name, act in (
            ("unshare", lambda: syscalls.unshare(syscalls.CLONE_NEWUSER)),
            ("mount", lambda: syscalls.mount("x", "/", "tmpfs")),
            ("vsock", lambda: socket.socket(40, socket.SOCK_STREAM).close()),
            ("inet", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()),
        ):
            try:
                act()
                seen[name] = 0
            except OSError as failure:
                seen[name] = failure.errno
        library.syscall(435, 0, 0)
        seen["clone3"] = ctypes.get_errno()
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        seen["fork"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return seen

    assert in_child(confined) == {
        "installed": True,
        "unshare": errno.EPERM,
        "mount": errno.EPERM,
        "vsock": errno.EAFNOSUPPORT,
        "inet": 0,
        "clone3": errno.ENOSYS,
        "fork": 3,
    }

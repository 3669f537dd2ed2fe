"""What a machine can forbid while a sandbox is made: each step has a name, each failure its cure.

The names are what the probe prints and what `SetupFailed.step` holds. The cure depends on the step, the errno and what
the machine says
about itself, so `cure` reads a few files of /proc/sys and nothing else.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError

USER_NAMESPACE = "user namespace"
ID_MAPS = "id maps"
NAMESPACES = "namespaces"
HOST_NAME = "host name"
LOOPBACK = "loopback"
SOURCES = "sources of the view"
MOUNTS = "mounts"
OVERLAY = "overlay"
PROC = "proc"
DEVPTS = "devpts"
ETC = "etc"
CGROUP = "cgroup"
PID_ONE = "process 1"
PROGRAM = "run a program as sandbox"
STEPS = (
    USER_NAMESPACE,
    ID_MAPS,
    NAMESPACES,
    HOST_NAME,
    LOOPBACK,
    SOURCES,
    MOUNTS,
    OVERLAY,
    PROC,
    DEVPTS,
    ETC,
    CGROUP,
    PID_ONE,
    PROGRAM,
)

_SYSCTL = Path("/proc/sys")
_APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"
_CLONE = "kernel/unprivileged_userns_clone"
_MAXIMUM = "user/max_user_namespaces"


_RESTRICTED = (USER_NAMESPACE, ID_MAPS, NAMESPACES, HOST_NAME, LOOPBACK, MOUNTS)  # what AppArmor takes from a namespace
_NO_FILTER = (
    "the container's seccomp filter or AppArmor profile forbids it: start it with "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined"
)
_CHROOT = (
    "this process is in a chroot, or in a container whose seccomp filter forbids user namespaces: enter the directory with "
    "pivot_root(8) in place of chroot(8), or start the container with --security-opt seccomp=unconfined"
)
_NO_RIGHT = (
    "this process may not change ids, as root of a container without the capabilities for it: start the container with "
    "--cap-add SETUID --cap-add SETGID --cap-add SETFCAP, or run the gateway as an ordinary user"
)
_NO_KERNEL = "the kernel has no user namespaces: use one with CONFIG_USER_NS=y"
_OLD_KERNEL = "Linux 5.15 or later is needed (mount_setattr)"
_MASKED = "parts of /proc are masked here, as in a container: start it with --security-opt systempaths=unconfined"
#: (step, errno): cure; errno 0 is any, step "" is any
_CURES: dict[tuple[str, int], str] = {
    (USER_NAMESPACE, errno.EPERM): _CHROOT,
    (USER_NAMESPACE, errno.EACCES): _CHROOT,
    (USER_NAMESPACE, errno.ENOSYS): _NO_KERNEL,
    (USER_NAMESPACE, errno.EINVAL): _NO_KERNEL,
    (ID_MAPS, errno.EPERM): _NO_RIGHT,
    (NAMESPACES, errno.EPERM): _NO_FILTER,
    (MOUNTS, errno.EPERM): _NO_FILTER,
    (MOUNTS, errno.EACCES): _NO_FILTER,
    (
        MOUNTS,
        errno.EINVAL,
    ): "the root of this machine is an initramfs or a chroot, which pivot_root(2) cannot leave: switch_root(8) first",
    (SOURCES, errno.EPERM): _NO_FILTER,
    (SOURCES, errno.ENOSYS): _OLD_KERNEL,
    (
        SOURCES,
        errno.EINVAL,
    ): "ids cannot be mapped on this file system (or before Linux 5.19): give a tar file in place of the directory",
    (MOUNTS, errno.ENOSYS): _OLD_KERNEL,
    (PROC, errno.EPERM): _MASKED,
    (PROC, errno.EACCES): _MASKED,
    (
        OVERLAY,
        0,
    ): "keep the state directory on ext4, xfs, btrfs or tmpfs: an overlay does not lie on an overlay or a network",
    ("", errno.ENOSPC): "a disk or a limit of the kernel (/proc/sys/user) is full",
}


class SetupFailed(OpenShellError):
    """A step of making a sandbox failed. `step` is one of STEPS, `errno` the system's number (0 where there is none)."""

    def __init__(self, step: str, number: int, text: str, hint: str) -> None:
        super().__init__(Code.PRECONDITION, f"this machine cannot make a sandbox: {step}: {text}", hint=hint)
        self.step = step
        self.errno = number
        self.text = text


@contextmanager
def step(name: str) -> Iterator[None]:
    """Turn an OSError inside into SetupFailed of step `name`, with its cure."""
    try:
        yield
    except OSError as failure:
        number = failure.errno or 0
        raise SetupFailed(name, number, words(failure), cure(name, number)) from failure


def cure(name: str, number: int, sysctl: Path = _SYSCTL) -> str:
    """What to do about errno `number` in step `name` on this machine; "" where nothing is known."""
    refused = number in (errno.EPERM, errno.EACCES)
    if name == USER_NAMESPACE and (number in (errno.ENOSPC, errno.EUSERS) or _value(sysctl / _MAXIMUM) == "0"):
        return "allow more user namespaces: sysctl -w user.max_user_namespaces=15000"
    if name in _RESTRICTED and refused:
        if _value(sysctl / _APPARMOR) == "1":
            return apparmor_cure()
        if _value(sysctl / _CLONE) == "0":
            return "allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1"
    return _CURES.get((name, number), _CURES.get((name, 0), _CURES.get(("", number), "")))


def apparmor_cure(interpreter: str = "") -> str:
    """The AppArmor profile that lets this interpreter make user namespaces, with the commands that load it."""
    program = interpreter or str(Path(sys.executable).resolve())
    return (
        "kernel.apparmor_restrict_unprivileged_userns is 1 (Ubuntu 23.10 and later); allow it for this Python, as root:\n"
        "  cat > /etc/apparmor.d/openshell <<'END'\n"
        "abi <abi/4.0>,\n"
        "include <tunables/global>\n"
        f'profile openshell "{program}" flags=(unconfined) {{\n'
        "  userns,\n"
        "}\n"
        "END\n"
        "  apparmor_parser -r /etc/apparmor.d/openshell"
    )


def _value(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""


def words(failure: OSError) -> str:
    """The text of the failure with what it was about: our own calls name themselves, the library's name a file."""
    text = failure.strerror or str(failure)
    return f"{text}: {failure.filename!r}" if failure.filename else text

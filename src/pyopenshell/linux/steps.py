"""What a machine can forbid while a sandbox is made: each step has a name, each failure its cure.

The names are what the probe prints and what `SetupFailed.step` holds. The cure depends on the step, the errno and what the machine says
about itself, so `cure` reads a few files of /proc/sys and nothing else.
"""

from __future__ import annotations

import errno
import os
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
STEPS = (USER_NAMESPACE, ID_MAPS, NAMESPACES, HOST_NAME, LOOPBACK, SOURCES, MOUNTS, OVERLAY, PROC, DEVPTS, ETC, CGROUP, PID_ONE)

_SYSCTL = Path("/proc/sys")
_APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"
_CLONE = "kernel/unprivileged_userns_clone"
_MAXIMUM = "user/max_user_namespaces"


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
        raise SetupFailed(name, number, _words(failure), cure(name, number)) from failure


def cure(name: str, number: int, sysctl: Path = _SYSCTL) -> str:
    """What to do about errno `number` in step `name` on this machine; "" where nothing is known."""
    refused = number in (errno.EPERM, errno.EACCES)
    user = os.geteuid() != 0
    if name == USER_NAMESPACE and number in (errno.ENOSPC, errno.EUSERS):
        return "set more user namespaces: sysctl -w user.max_user_namespaces=15000"
    if name in (USER_NAMESPACE, ID_MAPS, NAMESPACES, MOUNTS, HOST_NAME, LOOPBACK) and refused and user:
        if _value(sysctl / _APPARMOR) == "1":
            return apparmor_cure()
        if _value(sysctl / _CLONE) == "0":
            return "allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1"
    if name == USER_NAMESPACE and _value(sysctl / _MAXIMUM) == "0":
        return "allow user namespaces: sysctl -w user.max_user_namespaces=15000"
    if name == USER_NAMESPACE and refused:
        return (
            "this process is in a chroot or in a container whose seccomp filter forbids user namespaces: "
            "use a mount namespace with pivot_root instead of the chroot, or start the container with --security-opt seccomp=unconfined"
        )
    if name == USER_NAMESPACE and number in (errno.ENOSYS, errno.EINVAL):
        return "the kernel has no user namespaces: use one with CONFIG_USER_NS=y"
    if name == PROC and refused:
        return "parts of /proc are masked here (a container's default): start the container with --security-opt systempaths=unconfined"
    if name in (SOURCES, MOUNTS) and number == errno.ENOSYS:
        return "Linux 5.15 or later is needed (mount_setattr)"
    if name in (MOUNTS, NAMESPACES) and refused:
        return "the container's seccomp filter or AppArmor profile forbids mounts: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
    if name == OVERLAY:
        return "keep the state directory on ext4, xfs, btrfs or tmpfs: an overlay cannot be written to another overlay or a network file system"
    if number == errno.ENOSPC:
        return "a disk or a kernel limit (/proc/sys/user) is full"
    return ""


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


def _words(failure: OSError) -> str:
    """The text of the failure with what it was about: our own calls name themselves, the library's name a file."""
    text = failure.strerror or str(failure)
    return f"{text}: {failure.filename!r}" if failure.filename else text

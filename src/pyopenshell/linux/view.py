"""The root of a sandbox, put together in its own mount namespace by its process 1.

A stage (tmpfs) holds the new root and, while they are mounted, the layers of overlays. The new root becomes `/` by
pivot_root(2) *before* anything is made in it: from then on every path, and every
symbolic link of a hostile tree, ends inside the tree. The old root lies on top of the new one until the end, because a
new /proc may be mounted only where a whole one can be
seen (mount_too_revealing() of the kernel); then it is detached, and with it goes everything that was not named.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from pyopenshell.linux import etc, passwd, steps, syscalls
from pyopenshell.linux.ids import TTY_GID, Ids
from pyopenshell.linux.sources import Lower, Sources

_STAGES = ("/tmp", "/mnt", "/var", "/usr")  # noqa: S108 - one that exists is covered for a moment, in this namespace alone
_ROOT_SIZE = "size=16m,mode=0755"  # of the made root: directories and a few small files
_PRIVATE = syscalls.MS_NOSUID | syscalls.MS_NODEV
_LINKS = (
    ("dev/fd", "/proc/self/fd"),
    ("dev/stdin", "/proc/self/fd/0"),
    ("dev/stdout", "/proc/self/fd/1"),
    ("dev/stderr", "/proc/self/fd/2"),
    ("dev/ptmx", "pts/ptmx"),
)


def assemble(ids: Ids, sources: Sources, hostname: str) -> dict[str, str]:
    """Build the view and make it `/`. Call it in process 1 of the new pid namespace. Returns facts; raises SetupFailed."""
    with steps.step(steps.MOUNTS):
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        stage = next(path for path in _STAGES if Path(path).is_dir())
        syscalls.mount("stage", stage, "tmpfs", _PRIVATE, _ROOT_SIZE)
        root = f"{stage}/root"
        Path(root).mkdir()
        tree = any(not lower.target for lower in sources.lowers)
        if not tree:
            syscalls.mount("root", root, "tmpfs", _PRIVATE, _ROOT_SIZE)
    system = _overlays(sources, stage, root)
    with steps.step(steps.MOUNTS):
        old = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.chdir(root)
        syscalls.pivot_root(".", ".")
        _binds(sources, tree)
        _temporary(tree)
        _devices(sources)
    with steps.step(steps.DEVPTS):
        terminals = f"newinstance,ptmxmode=0666,mode=0620{f',gid={TTY_GID}' if ids.many else ''}"
        _mount_at("dev/pts", "devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, terminals)
    with steps.step(steps.PROC):
        _mount_at("proc", "proc", _PRIVATE | syscalls.MS_NOEXEC)
        _unprivileged_ports()
    with steps.step(steps.ETC):
        _write_etc(ids, hostname, tree)
    with steps.step(steps.MOUNTS):
        if not tree:
            syscalls.mount_setattr("/", syscalls.MOUNT_ATTR_RDONLY, recursive=False)
        os.fchdir(old)
        syscalls.umount2(".", syscalls.MNT_DETACH)
        os.close(old)
        os.chdir("/")
        _own_workspace(ids)
    return {"isolation": ids.shape.value, "system": system}


# --- overlays -----------------------------------------------------------------------------------------------------


def _overlays(sources: Sources, stage: str, root: str) -> str:
    """Mount the overlays; what became one is no bind any more. A tree must have its overlay, the host's view can do
    without.
    """
    if not sources.lowers:
        return f"read-only ({sources.read_only_because})" if sources.read_only_because else "read-only"
    done: set[str] = set()
    try:
        with steps.step(steps.OVERLAY):
            Path(f"{stage}/layers").mkdir()
            syscalls.attach(sources.layers, f"{stage}/layers")
            for number, lower in enumerate(sources.lowers):
                _overlay(lower, f"{stage}/lower{number}", f"{stage}/layers", f"{root}/{lower.target}".rstrip("/"))
                done.add(lower.target)
    except steps.SetupFailed as failure:
        if "" in {lower.target for lower in sources.lowers}:
            raise
        for target in done:
            syscalls.umount2(f"{root}/{target}", syscalls.MNT_DETACH)
        return f"read-only ({failure.text})"
    finally:
        for fd in (sources.layers, *(lower.tree for lower in sources.lowers)):
            os.close(fd)
        sources.layers = -1
        sources.lowers.clear()
    for bind in [bind for bind in sources.binds if bind.target in done]:
        os.close(bind.tree)
        sources.binds.remove(bind)
    return "overlay"


def _overlay(lower: Lower, below: str, layers: str, target: str) -> None:
    Path(below).mkdir()
    syscalls.attach(lower.tree, below)
    layer = f"{layers}/{lower.target.replace('/', '-') or 'root'}"
    for name in ("", "/upper", "/work"):
        Path(layer + name).mkdir(mode=0o755, exist_ok=True)
    Path(target).mkdir(parents=True, exist_ok=True)
    syscalls.mount(
        "overlay",
        target,
        "overlay",
        _PRIVATE,
        f"lowerdir={below},upperdir={layer}/upper,workdir={layer}/work,userxattr",
    )


# --- after the pivot: every path is inside ------------------------------------------------------------------------


def _binds(sources: Sources, tree: bool) -> None:
    for bind in sources.binds:
        _attach(bind.tree, bind.target, directory=bind.directory)
    sources.binds.clear()
    for name, goal in sources.links:
        _directory(os.path.dirname(name))
        os.symlink(goal, f"/{name}")
    if not tree:
        for name in ("var/log", "var/cache", "var/lib"):
            _directory(name)
        os.symlink("/run", "/var/run")
    _attach(sources.workspace, etc.HOME[1:], directory=True)
    sources.workspace = -1


def _temporary(tree: bool) -> None:
    _mount_at("tmp", "tmpfs", _PRIVATE, "mode=1777")
    _mount_at("run", "tmpfs", _PRIVATE, "mode=0755")
    _mount_at("dev", "tmpfs", _PRIVATE, "mode=0755,size=64k")
    _mount_at("dev/shm", "tmpfs", _PRIVATE, "mode=1777")
    if not tree:
        _mount_at("var/tmp", "tmpfs", _PRIVATE, "mode=1777")


def _devices(sources: Sources) -> None:
    for device in sources.devices:
        _attach(device.tree, f"dev/{device.target}", directory=False)
    sources.devices.clear()
    for name, goal in _LINKS:
        os.symlink(goal, f"/{name}")
    try:
        _mount_at("dev/mqueue", "mqueue", _PRIVATE | syscalls.MS_NOEXEC)
    except OSError as failure:
        if failure.errno != errno.ENODEV:  # a kernel without POSIX message queues
            raise


def _attach(clone: int, target: str, *, directory: bool) -> None:
    if directory:
        _directory(target)
    else:
        _directory(os.path.dirname(target))
        os.close(os.open(f"/{target}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
    syscalls.attach(clone, f"/{target}")
    os.close(clone)


def _mount_at(target: str, kind: str, flags: int, options: str = "") -> None:
    _directory(target)
    syscalls.mount(kind, f"/{target}", kind, flags, options)


def _directory(target: str) -> None:
    """Make `/target` a real directory; what a tree has there instead is replaced."""
    path = ""
    for part in target.split("/"):
        if not part:
            continue
        path += f"/{part}"
        try:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                continue
            os.unlink(path)
        except FileNotFoundError:
            pass
        os.mkdir(path, 0o755)


def _unprivileged_ports() -> None:
    """Let `sandbox`, which has no capability, listen on port 80 of its own network; a kernel that will not is no
    reason to stop.
    """
    try:
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0", "utf-8")
    except OSError:
        return


def _write_etc(ids: Ids, hostname: str, tree: bool) -> None:
    _directory("etc")
    shell = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
    files: Mapping[str, str]
    if tree:
        files = etc.tree_files(ids, hostname, passwd.read_text("/etc/passwd"), passwd.read_text("/etc/group"), shell)
    else:
        files = etc.host_view_files(ids, hostname, shell)
    for name, text in files.items():
        path = Path("/etc") / name
        path.unlink(missing_ok=True)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            os.fchmod(fd, 0o644)
            file.write(text)


def _own_workspace(ids: Ids) -> None:
    """In a subrange only root inside can give the workspace to `sandbox`; elsewhere it already is."""
    status = os.stat(etc.HOME)
    if (status.st_uid, status.st_gid) != (ids.sandbox_uid, ids.sandbox_gid):
        os.chown(etc.HOME, ids.sandbox_uid, ids.sandbox_gid)

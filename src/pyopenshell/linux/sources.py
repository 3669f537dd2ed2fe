"""What of the host goes into a sandbox's view, taken as detached mounts before anything is hidden.

A clone made by open_tree(2) is a descriptor: it needs no path any more, so it survives the change of namespaces and the
new root. For shape `range` the clones
are made while this process is still root of the host, because inside it may not walk through a 0700 directory of root;
for a user they are made inside, where alone the right to
make them exists. Allow list, not deny list: what is not named here does not exist inside.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import steps, syscalls
from pyopenshell.linux.etc import MADE
from pyopenshell.linux.ids import Ids, Shape

SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt")
OVERLAID = ("usr", "opt", "var/lib/dpkg")  # what root inside may write to where the machine can do it
ETC = (
    "ssl/certs",
    "ca-certificates",
    "ca-certificates.conf",
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "profile",
    "profile.d",
    "bash.bashrc",
    "skel",
    "terminfo",
    "mime.types",
)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
WORKSPACE = "workspace"  # in the sandbox's own host directory: what /sandbox is
LAYERS = "layers"  # in the same: NAME/upper and NAME/work of each overlay

_READ_ONLY = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
_PLAIN = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
_DEVICE = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NOEXEC
_HIDDEN = 0o700


@dataclass(frozen=True, slots=True)
class Bind:
    """A detached clone that goes to `target` (no slash in front)."""

    target: str
    tree: int
    directory: bool


@dataclass(frozen=True, slots=True)
class Lower:
    """A clone whose files have the sandbox's ids, to lie below the overlay at `target` ("" is the root)."""

    target: str
    tree: int


@dataclass(slots=True)
class Sources:
    """Everything of the host that a view needs. `layers` is -1 where there is no overlay; `read_only_because` then
    says why.
    """

    workspace: int = -1
    layers: int = -1
    binds: list[Bind] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    lowers: list[Lower] = field(default_factory=list)
    devices: list[Bind] = field(default_factory=list)
    read_only_because: str = ""

    def close(self) -> None:
        """Close what was not attached."""
        trees = [bind.tree for bind in (*self.binds, *self.devices)] + [lower.tree for lower in self.lowers]
        for fd in (self.workspace, self.layers, *trees):
            if fd >= 0:
                os.close(fd)


def clone(path: str, attributes: int, *, userns: int = -1, recursive: bool = True) -> int:
    """A detached clone of the mount tree at `path` with MOUNT_ATTR_* `attributes`, its ids mapped by `userns` if
    given. Raises OSError.
    """
    tree = syscalls.open_tree(path, syscalls.OPEN_TREE_CLONE | (syscalls.AT_RECURSIVE if recursive else 0))
    try:
        if userns >= 0:
            attributes |= syscalls.MOUNT_ATTR_IDMAP
        syscalls.mount_setattr(tree, attributes, recursive=recursive, userns=max(userns, 0))
    except OSError as failure:
        os.close(tree)
        raise OSError(failure.errno, f"{failure.strerror} on {path!r}") from failure
    return tree


def collect(ids: Ids, directory: str, source: str, etc: tuple[str, ...], userns: int) -> Sources:
    """Take what the view needs. `userns` is the sandbox's namespace where this process is root of the host, -1 otherwise.

    Raises SetupFailed. `source` is "" for the host's own system, else the directory of a tree.
    """
    found = Sources()
    try:
        with steps.step(steps.SOURCES):
            found.workspace = clone(_own_directory(ids, directory, WORKSPACE, ids.sandbox_uid, ids.sandbox_gid), _PLAIN)
            found.devices.extend(_devices())
            if source:
                mapped = -1 if _belongs_to(ids, source) else userns
                found.lowers.append(Lower("", clone(source, _READ_ONLY, userns=mapped, recursive=False)))
                _take_layers(found, ids, directory)
            else:
                _take_system(found)
                _take_etc(found, (*ETC, *etc))
        if not source:
            _take_lowers(found, ids, directory, userns)
    except steps.SetupFailed:
        found.close()
        raise
    return found


def further(names: Iterable[str]) -> tuple[str, ...]:
    """`names` of the host's /etc that an operator adds to the allow list, less those that are in it already.

    Raises INVALID for one that leads elsewhere, and for a file that every sandbox has its own of.
    """
    wanted: list[str] = []
    for name in names:
        parts = name.split("/")
        if name == "" or "\0" in name or {"", ".", ".."} & set(parts):
            raise OpenShellError(
                Code.INVALID, f"{name[:80]!r} is no name below /etc", hint="write it as 'ssl/openssl.cnf'"
            )
        if parts[0] in MADE:
            raise OpenShellError(Code.INVALID, f"/etc/{name[:80]} is made for each sandbox and cannot be the host's")
        above = {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
        if not above & {*ETC, *wanted}:
            wanted.append(name)
    return tuple(wanted)


def _belongs_to(ids: Ids, tree: str) -> bool:
    """Whether a tree has the sandbox's own ids already, as one that was unpacked for it has."""
    owner = os.stat(tree).st_uid
    return any(0 <= owner - extent.outside < extent.count for extent in ids.uids)


def _own_directory(ids: Ids, directory: str, name: str, uid: int, gid: int) -> str:
    """Make `name` in the sandbox's directory if it is missing; its owner inside is uid:gid where that can be said
    from here.
    """
    path = os.path.join(directory, name)
    Path(path).mkdir(mode=_HIDDEN, exist_ok=True)
    if ids.shape is Shape.RANGE:
        os.chown(path, ids.host_uid(uid), ids.host_gid(gid))
    return path


def _take_layers(found: Sources, ids: Ids, directory: str) -> None:
    """Upper and work directories of every overlay: one mount, as an overlay demands."""
    path = _own_directory(
        ids, directory, LAYERS, 0 if ids.many else ids.sandbox_uid, 0 if ids.many else ids.sandbox_gid
    )
    found.layers = clone(path, _PLAIN)


def _take_system(found: Sources) -> None:
    for name in SYSTEM:
        path = f"/{name}"
        if Path(path).is_symlink():
            found.links.append((name, os.readlink(path)))
        elif Path(path).is_dir():
            found.binds.append(Bind(name, clone(path, _READ_ONLY), directory=True))
    if Path("/var/lib/dpkg").is_dir():
        found.binds.append(Bind("var/lib/dpkg", clone("/var/lib/dpkg", _READ_ONLY), directory=True))


def _take_etc(found: Sources, names: tuple[str, ...]) -> None:
    for name in names:
        path = f"/etc/{name}"
        try:
            if Path(path).is_symlink() and os.path.realpath(path).startswith("/usr/"):
                found.links.append((f"etc/{name}", os.path.realpath(path)))
                continue
            directory = stat.S_ISDIR(Path(path).stat().st_mode)
            found.binds.append(Bind(f"etc/{name}", clone(path, _READ_ONLY), directory))
        except (FileNotFoundError, PermissionError):
            continue  # this machine has no such file, or this user may not read it: nor may the sandbox


def _devices() -> Iterator[Bind]:
    for name in DEVICES:
        yield Bind(name, clone(f"/dev/{name}", _DEVICE, recursive=False), directory=False)


def _take_lowers(found: Sources, ids: Ids, directory: str, userns: int) -> None:
    """Idmapped clones for the overlays of the host's view; where one cannot be had, none is used and the reason is kept."""
    if userns < 0:
        found.read_only_because = "needs a gateway that is root"
        return
    try:
        for name in OVERLAID:
            if not Path(f"/{name}").is_dir() or Path(f"/{name}").is_symlink():
                continue
            if below := _mount_below(f"/{name}"):
                raise OSError(0, f"{below} is a mount of its own")
            found.lowers.append(Lower(name, clone(f"/{name}", _READ_ONLY, userns=userns, recursive=False)))
        _take_layers(found, ids, directory)
    except OSError as failure:
        for lower in found.lowers:
            os.close(lower.tree)
        found.lowers.clear()
        found.read_only_because = failure.strerror or str(failure)


def _mount_below(path: str) -> str:
    """A mount point under `path`, "" where there is none (proc_pid_mountinfo(5), octal escapes left as they are)."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        points = (line.split()[4] for line in table)
        return next((point for point in points if point.startswith(path + "/")), "")

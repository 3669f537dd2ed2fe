"""Control groups that hold a sandbox's cpu and memory: both versions, or the reason why this machine has none to give.

A group lies directly below the cgroup of this process (so that a limit of ours never lifts one above us), and in
version 2 also beside it, where systemd put us into a leaf
of a delegated unit (DelegateSubgroup=): processes and children do not mix there. Whether a limit can be held is found
by holding one: nothing less is true on every machine.
See cgroups(7), Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PERIOD = 100_000  # microseconds, the kernel's own default for cpu.cfs_period_us and cpu.max
CONTROLLERS = ("cpu", "memory")
_PREFIX = "openshell-"
_PROBE_CPU = 1.0
_PROBE_MEMORY = 64 * 1024 * 1024
_MOUNTS = Path("/proc/self/mountinfo")
_OWN = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Support:
    """`kind` is `v1`, `v2`, `mixed` or `none`; `cpu` and `memory` are "" where a limit can be held, else the reason."""

    kind: str
    cpu: str
    memory: str


@dataclass(frozen=True, slots=True)
class Group:
    """The cgroup of one sandbox: a directory in each hierarchy that holds one of its limits."""

    directories: tuple[Path, ...]

    def procs(self) -> tuple[int, ...]:
        """Open cgroup.procs of each directory for writing: what `Door.cgroup` and `Plan.cgroup` want. Raises OSError."""
        opened: list[int] = []
        try:
            for directory in self.directories:
                opened.append(os.open(directory / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
        except OSError:
            for fd in opened:
                os.close(fd)
            raise
        return tuple(opened)

    def remove(self) -> None:
        """Remove the directories; what is gone already counts as removed. Raises OSError (EBUSY) while a process is
        in one.
        """
        for directory in self.directories:
            with contextlib.suppress(FileNotFoundError):
                directory.rmdir()


@dataclass(frozen=True, slots=True)
class Place:
    """Where groups with one controller can be made: our own directory in its hierarchy."""

    directory: Path
    version: int


def places(mounts: Path = _MOUNTS, own: Path = _OWN) -> dict[str, Place]:
    """Our own directory for each controller of CONTROLLERS that is mounted here."""
    paths: dict[str, str] = {}
    for line in _lines(own):
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    found: dict[str, Place] = {}
    for line in _lines(mounts):
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, point = left.split(" ")[3:5]
        if kind == "cgroup":
            for controller in set(CONTROLLERS) & set(options.split(",")) & set(paths):
                found[controller] = Place(_below(point, root, paths[controller]), 1)
        elif kind == "cgroup2" and "" in paths:
            directory = _below(point, root, paths[""])
            for controller in set(CONTROLLERS) - set(found):
                if controller in _words(Path(point) / "cgroup.controllers"):
                    found[controller] = Place(directory, 2)
    return found


def available() -> Support:
    """Find out, by making a group for a moment, which limits can be held here."""
    found = places()
    versions = {f"v{place.version}" for place in found.values()}
    kind = "none" if not versions else versions.pop() if len(versions) == 1 else "mixed"
    reasons = {}
    for controller in CONTROLLERS:
        if controller not in found:
            reasons[controller] = f"no cgroup hierarchy with the {controller} controller is mounted"
            continue
        try:
            _try_limit(controller).remove()
            reasons[controller] = ""
        except OSError as failure:
            reasons[controller] = _reason(failure)
    return Support(kind, reasons["cpu"], reasons["memory"])


def _try_limit(controller: str) -> Group:
    name = f"probe-{os.getpid()}"
    return make(name, cpu=_PROBE_CPU) if controller == "cpu" else make(name, memory=_PROBE_MEMORY)


def make(name: str, cpu: float = 0.0, memory: int = 0) -> Group:
    """Make the group `name` that holds `cpu` cores and `memory` bytes (0 = no limit); none is made for what has no limit.

    Raises OSError, and nothing is left then. An older group of that name must have been removed (FileExistsError).
    """
    wanted: dict[str, float] = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    found = places()
    made: list[Path] = []
    try:
        for controller, amount in wanted.items():
            if controller not in found:
                raise OSError(errno.ENODEV, f"no cgroup hierarchy with the {controller} controller is mounted")
            directory = _parent(found[controller], controller) / f"{_PREFIX}{name}"
            if directory not in made:
                directory.mkdir()
                made.append(directory)
            for file, value in _settings(found[controller].version, controller, amount).items():
                if file in _OPTIONAL and not (directory / file).exists():
                    continue
                (directory / file).write_text(value, "utf-8")
    except OSError:
        for directory in made:
            directory.rmdir()
        raise
    return Group(tuple(made))


def existing(name: str) -> Group:
    """The group `name` as far as it exists, wherever `make` puts one: after a restart of the gateway."""
    candidates = {directory / f"{_PREFIX}{name}" for place in places().values() for directory in _parents(place)}
    return Group(tuple(sorted(path for path in candidates if path.is_dir())))


_OPTIONAL = ("memory.memsw.limit_in_bytes", "memory.swap.max")  # kernels without swap accounting have no such file


def _settings(version: int, controller: str, amount: float) -> Mapping[str, str]:
    if controller == "cpu":
        quota = int(amount * PERIOD)
        if version == 1:
            return {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(quota)}
        return {"cpu.max": f"{quota} {PERIOD}"}
    if version == 1:  # the second counts memory and swap together, and may not be under the first
        return {"memory.limit_in_bytes": str(int(amount)), "memory.memsw.limit_in_bytes": str(int(amount))}
    return {"memory.max": str(int(amount)), "memory.swap.max": "0"}


def _parents(place: Place) -> Iterator[Path]:
    yield place.directory
    if place.version == 2:
        yield place.directory.parent


def _parent(place: Place, controller: str) -> Path:
    """The directory to make a group in; in version 2 the first that gives the controller to its children. Raises
    OSError.
    """
    if place.version == 1:
        return place.directory
    first: OSError | None = None
    for directory in _parents(place):
        control = directory / "cgroup.subtree_control"
        try:
            if controller not in _words(control):
                control.write_text(f"+{controller}", "utf-8")
        except OSError as failure:
            first = first or failure
            continue
        if os.access(directory, os.W_OK):
            return directory
    raise first or PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _reason(failure: OSError) -> str:
    if isinstance(failure, PermissionError) or failure.errno == errno.EROFS:
        return "this user has no cgroup of its own (run the gateway as root, or by the shipped systemd unit)"
    if failure.errno in (errno.EBUSY, errno.EOPNOTSUPP):
        return "our own cgroup has processes, so it can have no children (run the gateway by the shipped systemd unit)"
    if failure.errno == errno.ENOENT:  # cgroup.subtree_control, where those above keep the controller to themselves
        return "the controller is not given to our cgroup (run the gateway by the shipped systemd unit)"
    return failure.strerror or str(failure)


def _below(point: str, root: str, path: str) -> Path:
    """Where the cgroup `path` is under mount point `point`, whose own root in the hierarchy is `root`."""
    if root != "/" and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    return Path(point) / path.lstrip("/")


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").split()
    except OSError:
        return []


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", "surrogateescape").splitlines()

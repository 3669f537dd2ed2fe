"""A directory that is to be a sandbox's root, copied for the sandbox's ids: where it cannot be mapped to them as it is.

Root's sandboxes have ids of their own. Mostly the kernel shows a directory with other ids (an idmapped mount below an
overlay), and nothing is copied. Some file systems cannot (overlay, NFS, FUSE, ramfs), nor could overlays before Linux 5.19;
`why_not_as_it_is` tries. The copy is made by root, who reads everything; so the tree is taken as hostile: one mount, no link
followed, nothing opened that is not a file or a directory. Modes, times, hard and symbolic links and holes are kept,
extended attributes are not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import etc, forks, namespaces, syscalls
from pyopenshell.linux.ids import RANGE_SIZE, Ids
from pyopenshell.linux.sources import clone

#: Directories in each other: two descriptors each, of the 1,024 that a process has; PATH_MAX ends at 2,048.
DEPTH_MAX = 256
_BLOCK = 512  # bytes of st_blocks, stat(2)
_STAGE = "/tmp"  # noqa: S108 - covered in a mount namespace of its own
_REFUSED = {stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def why_not_as_it_is(source: str, ids: Ids) -> str:
    """Why the directory cannot lie below an overlay with its ids mapped, "" where it can; `ids` are of the shape `range`.

    Raises OSError where it cannot be reached, SetupFailed. Call it in a single-threaded process.
    """
    return forks.call(lambda: _try(source, ids), "the trial of a mount")["because"]


def copy(source: str, destination: str, ids: Ids) -> None:
    """Copy the tree at `source` to `destination`, which must not exist; ids as a mapped mount would show them.

    Raises INVALID that names a socket, a device or a directory too deep, EXHAUSTED before anything is made where there is no
    room, OSError (ENOSPC). What was copied so far then stays for `remove_tree`.
    """
    root = _open_tree(source)
    try:
        needed = _size(root, "", set())
        _check_room(needed, os.path.dirname(destination))
        os.mkdir(destination, 0o700)
        made = os.open(destination, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _Copy(ids, made).directory(root, made, "")
        finally:
            os.close(made)
    finally:
        os.close(root)


def _try(source: str, ids: Ids) -> dict[str, str]:
    userns = namespaces.make_user_namespace(ids)
    try:
        tree = clone(source, syscalls.MOUNT_ATTR_RDONLY, userns=userns, recursive=False)
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("stage", _STAGE, "tmpfs")
        names = {name: f"{_STAGE}/{name}" for name in ("lower", "upper", "work", "root")}
        for path in names.values():
            Path(path).mkdir()
        syscalls.attach(tree, names["lower"])
        layers = f"lowerdir={names['lower']},upperdir={names['upper']},workdir={names['work']},userxattr"
        syscalls.mount("overlay", names["root"], "overlay", 0, layers)
    except OSError as failure:
        if failure.errno not in (errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP):
            raise
        return {"because": failure.strerror or str(failure)}
    return {"because": ""}


def _open_tree(source: str) -> int:
    """The directory on its own mount alone, as a descriptor."""
    tree = syscalls.open_tree(source, syscalls.OPEN_TREE_CLONE)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=tree)
    finally:
        os.close(tree)


@contextlib.contextmanager
def _entry(folder: int, name: str) -> Iterator[tuple[int, os.stat_result]]:
    """What `name` is, held by a descriptor that opens nothing (O_PATH of open(2)); read it through `_reopened`."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield fd, os.fstat(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _reopened(fd: int, flags: int = 0) -> Iterator[int]:
    opened = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        yield opened
    finally:
        os.close(opened)


def _below(path: str, name: str) -> str:
    """The path of an entry in the tree. Raises INVALID for one that is too deep."""
    if path.count("/") + 2 > DEPTH_MAX:
        raise OpenShellError(Code.INVALID, f"the source has more than {DEPTH_MAX} directories in each other")
    return f"{path}/{name}" if path else name


def _size(folder: int, path: str, seen: set[int]) -> int:
    """Bytes on the disk of all files below; what is linked often counts once. Raises INVALID for what cannot be copied."""
    total = 0
    for name in os.listdir(folder):
        inner = _below(path, name)
        with _entry(folder, name) as (fd, status):
            if what := _REFUSED.get(stat.S_IFMT(status.st_mode)):
                raise OpenShellError(
                    Code.INVALID,
                    f"{inner[:200]!r} of the source is {what}, which cannot be copied",
                    hint="remove it, or give the tree as a tar file, of which devices are left out",
                )
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                if status.st_ino in seen:
                    continue
                seen.add(status.st_ino)
            total += status.st_blocks * _BLOCK
            if stat.S_ISDIR(status.st_mode):
                with _reopened(fd, os.O_DIRECTORY) as opened:
                    total += _size(opened, inner, seen)
    return total


def _check_room(needed: int, directory: str) -> None:
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    if needed > free:
        raise OpenShellError(
            Code.EXHAUSTED,
            f"a copy of the source takes {needed} bytes, and {directory!r} has {free} left",
            hint="make room there, or put the source on a file system whose ids can be mapped (ext4, xfs, btrfs), uncopied",
        )


class _Copy:
    """One copy under way, into the directory behind `root`."""

    def __init__(self, ids: Ids, root: int) -> None:
        self._ids = ids
        self._root = root
        self._linked: dict[int, str] = {}  # files that have more than one name, by inode: the first name in the copy

    def directory(self, source: int, made: int, path: str) -> None:
        """Copy what is in the directory `source` into `made`, and then its own owner, mode and times."""
        for name in os.listdir(source):
            with _entry(source, name) as (fd, status):
                self._make(fd, status, made, name, _below(path, name))
        self._finish(made, os.fstat(source))

    def _make(self, fd: int, status: os.stat_result, folder: int, name: str, path: str) -> None:
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(name, 0o700, dir_fd=folder)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                with _reopened(fd, os.O_DIRECTORY) as opened:
                    self.directory(opened, inner, path)
            finally:
                os.close(inner)
            return
        if first := self._linked.get(status.st_ino):
            os.link(first, name, src_dir_fd=self._root, dst_dir_fd=folder, follow_symlinks=False)
            return
        if stat.S_ISREG(status.st_mode):
            self._file(fd, folder, name)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink("", dir_fd=fd), name, dir_fd=folder)
            self._own(folder, name, status)
        elif stat.S_ISFIFO(status.st_mode):
            os.mkfifo(name, 0o600, dir_fd=folder)
            self._own(folder, name, status)
            os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=folder)
        else:
            raise OpenShellError(Code.INVALID, f"{path[:200]!r} of the source has become what cannot be copied")
        if status.st_nlink > 1:
            self._linked[status.st_ino] = path

    def _file(self, fd: int, folder: int, name: str) -> None:
        made = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            with _reopened(fd) as source:
                status = os.fstat(source)
                _copy_data(source, made, status.st_size)
            self._finish(made, status)
        finally:
            os.close(made)

    def _finish(self, made: int, status: os.stat_result) -> None:
        os.fchown(made, *self._owner(status))
        os.fchmod(made, stat.S_IMODE(status.st_mode))  # after the owner, whose change takes set-user-id away
        os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _own(self, folder: int, name: str, status: os.stat_result) -> None:
        uid, gid = self._owner(status)
        os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
        os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=folder, follow_symlinks=False)

    def _owner(self, status: os.stat_result) -> tuple[int, int]:
        """The host's ids of what is 0..65535 on the disk; all others are nobody, as where they are not mapped."""
        uid, gid = (number if number < RANGE_SIZE else etc.NOBODY for number in (status.st_uid, status.st_gid))
        return self._ids.host_uid(uid), self._ids.host_gid(gid)


def _copy_data(source: int, made: int, size: int) -> None:
    """The first `size` bytes; holes stay holes (lseek(2), SEEK_DATA)."""
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError as failure:
            if failure.errno != errno.ENXIO:  # nothing but a hole up to the end
                raise
            break
        end = min(os.lseek(source, at, os.SEEK_HOLE), size)
        os.lseek(made, at, os.SEEK_SET)
        while at < end and (sent := os.sendfile(made, source, at, end - at)):
            at += sent
        if at < end:  # it was cut meanwhile
            break
    os.ftruncate(made, size)

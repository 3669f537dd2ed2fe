"""One tar archive laid over the tree that is our `/`: a plain tree, or a layer with its whiteouts.

The caller has nothing else in sight (`trees.py`), so no name leads out. Devices are left out (nobody may make one in a user
namespace) and so are extended attributes, since file capabilities would give nothing here.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from collections.abc import Iterator

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.ids import RANGE_SIZE, Ids

MEMBERS_MAX = 2_000_000  # files of an image: ten times the largest that is seen in practice
_PIECE = 1024 * 1024  # bytes copied at a time
_WHITEOUT = ".wh."  # a layer's word that a file of a lower one is gone, OCI image layer specification
_OPAQUE = ".wh..wh..opq"


def apply(archive: tarfile.TarFile, ids: Ids, *, whiteouts: bool) -> None:
    """Make every member below `/`. Raises INVALID, OSError (ENOSPC), tarfile's own errors."""
    taken = _Whiteouts() if whiteouts else None
    for member in _members(archive):
        path = _inside(member.name)
        if path == "/":
            continue
        folder, name = os.path.split(path)
        os.makedirs(folder, 0o755, exist_ok=True)
        if taken is not None and taken.take(folder, name):
            continue
        if _make(archive, member, path):
            if taken is not None:
                taken.keep(path)
            _own(member, path, ids)


class _Whiteouts:
    """What a layer takes away of the lower ones, and never of itself, whatever the order of its members."""

    def __init__(self) -> None:
        self._own: set[str] = {"/"}

    def take(self, folder: str, name: str) -> bool:
        """Whether the member only says that something is gone; that is done then."""
        if name == _OPAQUE:
            for old in os.listdir(folder):
                self._drop(os.path.join(folder, old))
        elif name.startswith(_WHITEOUT):
            self._drop(os.path.join(folder, name[len(_WHITEOUT) :]))
        else:
            return False
        return True

    def keep(self, path: str) -> None:
        """This layer made `path`, and whatever is above it."""
        while path not in self._own:
            self._own.add(path)
            path = os.path.dirname(path)

    def _drop(self, path: str) -> None:
        if path not in self._own:
            _remove(path)
        elif os.path.isdir(path) and not os.path.islink(path):
            for name in os.listdir(path):
                self._drop(os.path.join(path, name))


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for number, member in enumerate(archive):
        if number >= MEMBERS_MAX:
            raise OpenShellError(Code.INVALID, f"the archive has more than {MEMBERS_MAX} members")
        yield member


def _inside(name: str) -> str:
    """The absolute path of a member: `..` and empty parts are dropped."""
    return "/" + "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _make(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> bool:
    """Make one member; False where it is nothing that a sandbox can have."""
    if member.isdir():
        if not os.path.isdir(path) or os.path.islink(path):
            _remove(path)
            os.mkdir(path)
        return True
    if not (member.isreg() or member.issym() or member.islnk() or member.isfifo()):
        return False
    _remove(path)
    if member.issym():
        os.symlink(member.linkname, path)
    elif member.islnk():
        os.link(_inside(member.linkname), path, follow_symlinks=False)
    elif member.isfifo():
        os.mkfifo(path)
    else:
        source = archive.extractfile(member)
        with open(
            os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb"
        ) as file:
            while source is not None and (piece := source.read(_PIECE)):
                file.write(piece)
    return True


def _own(member: tarfile.TarInfo, path: str, ids: Ids) -> None:
    if ids.many and member.uid < RANGE_SIZE and member.gid < RANGE_SIZE:
        with contextlib.suppress(OSError):  # a subrange may be smaller than the image's ids: root's then
            os.chown(path, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        os.chmod(path, member.mode & 0o7777)
    os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)


def _remove(path: str) -> None:
    """Remove whatever is at `path`, if anything is; a link is removed, not followed."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            for name in os.listdir(path):
                _remove(os.path.join(path, name))
            os.rmdir(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return

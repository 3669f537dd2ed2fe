"""An archive becomes a directory tree that belongs to a sandbox's ids: a `docker export`, a `docker save` or an OCI layout.

An archive is hostile. So it is unpacked as root of the sandbox's ids, not as the user, with the destination as the
whole of `/`: an absolute name, a `..` or a symbolic link leads
nowhere but into the tree. Devices are left out (nobody may make one in a user namespace) and so are extended
attributes, since file capabilities would give nothing here.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from collections.abc import Iterator
from typing import IO

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import etc, forks, layers, namespaces, passwd, sealing, steps, syscalls
from pyopenshell.linux.ids import RANGE_SIZE, Ids, Shape
from pyopenshell.linux.sources import clone

MEMBERS_MAX = 2_000_000  # files of an image: ten times the largest that is seen in practice
_PIECE = 1024 * 1024  # bytes copied at a time
_WHITEOUT = ".wh."  # a layer's word that a file of a lower one is gone, OCI image layer specification
_OPAQUE = ".wh..wh..opq"
_STAGE = "/tmp"  # noqa: S108 - covered in a mount namespace of its own


def unpack(archive: str, destination: str, ids: Ids) -> None:
    """Unpack the tar file `archive` into `destination`, which is made and must not exist. Call it in a single-threaded
    process.

    Raises INVALID for what is no image, SetupFailed, OSError (ENOSPC); what was unpacked so far then stays for
    `remove_tree`.
    """
    forks.call(lambda: _unpack(archive, destination, ids), "the unpacking of an archive")


def sandbox_ids(tree: str) -> tuple[int, int]:
    """User and group id that `sandbox` has in the tree at `tree`: the image's own user of that name or a free one."""
    return etc.ids_in_tree(passwd.read_text(os.path.join(tree, "etc/passwd")))


def _unpack(archive: str, destination: str, ids: Ids) -> dict[str, str]:
    with open(archive, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OpenShellError(Code.INVALID, f"{archive!r} is no regular file")
        os.mkdir(destination, 0o700)
        _become_root_of(destination, ids)
        _extract(file, ids)
    return {}


def _become_root_of(destination: str, ids: Ids) -> None:
    """Become root of the sandbox's ids, with `destination` as `/` and nothing else in sight; nothing is imported after."""
    sealing.warm()
    userns = namespaces.make_user_namespace(ids)
    tree = -1
    if ids.shape is Shape.RANGE:
        os.chown(destination, ids.host_uid(0), ids.host_gid(0))
        with steps.step(steps.SOURCES):
            tree = clone(destination, syscalls.MOUNT_ATTR_NODEV)
    namespaces.become_root_inside(userns, ids)
    with steps.step(steps.NAMESPACES):
        syscalls.unshare(syscalls.CLONE_NEWNS)
    with steps.step(steps.MOUNTS):
        if tree < 0:
            tree = clone(destination, syscalls.MOUNT_ATTR_NODEV)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.attach(tree, _STAGE)
        old = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.chdir(_STAGE)
        sealing.seal_imports()  # a layer that is unpacked may hold the very module that the next one asks for
        syscalls.pivot_root(".", ".")
        os.fchdir(old)
        syscalls.umount2(".", syscalls.MNT_DETACH)
        os.chdir("/")
    os.chmod("/", 0o755)  # noqa: S103 - the root of the tree
    os.umask(0)


def _extract(file: IO[bytes], ids: Ids) -> None:
    try:
        with tarfile.open(fileobj=file, mode="r:*") as outer:
            found = layers.find(outer)
            if found is None:
                _apply(outer, ids, whiteouts=False)
                return
            for blob in found:
                with layers.open_layer(outer, blob) as inner:
                    _apply(inner, ids, whiteouts=True)
    except (tarfile.TarError, EOFError, ValueError, KeyError) as failure:
        raise OpenShellError(
            Code.INVALID,
            f"the archive cannot be read: {_told(failure)}",
            hint="give a 'docker export', a 'docker save' or an OCI layout",
        ) from failure


def _told(failure: Exception) -> str:
    """tarfile's reason; where no format fits it is a list of what each of them says, of no use to a person."""
    text = str(failure)
    return "it is no tar file" if "\n" in text else text


def _apply(archive: tarfile.TarFile, ids: Ids, *, whiteouts: bool) -> None:
    for member in _members(archive):
        path = _inside(member.name)
        if path == "/":
            continue
        folder, name = os.path.split(path)
        os.makedirs(folder, 0o755, exist_ok=True)
        if whiteouts and name == _OPAQUE:
            for old in os.listdir(folder):
                _remove(os.path.join(folder, old))
        elif whiteouts and name.startswith(_WHITEOUT):
            _remove(os.path.join(folder, name[len(_WHITEOUT) :]))
        elif _make(archive, member, path):
            _own(member, path, ids)


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

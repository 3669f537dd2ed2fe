"""An image becomes a directory tree that belongs to a sandbox's ids: a `docker export`, a `docker save` or an OCI layout,
as tar files, or an OCI layout that is a directory.

An image is hostile. So it is unpacked as root of the sandbox's ids, not as the user, with the destination as the whole of
`/`: an absolute name, a `..` or a symbolic link leads nowhere but into the tree (`members.py`). The layers of a directory
are opened before that, for they may be the operator's alone.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from collections.abc import Iterator
from typing import IO

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import forks, layers, members, namespaces, sealing, steps, syscalls
from pyopenshell.linux.ids import Ids, Shape
from pyopenshell.linux.sources import clone

_STAGE = "/tmp"  # noqa: S108 - covered in a mount namespace of its own


def unpack(image: str, destination: str, ids: Ids) -> None:
    """Unpack `image`, a tar file or the directory of an OCI layout, into `destination`, which is made and must not exist.
    Call it in a single-threaded process.

    Raises INVALID for what is no image, SetupFailed, OSError (ENOSPC); what was unpacked so far then stays for
    `remove_tree`.
    """
    forks.call(lambda: _unpack(image, destination, ids), "the unpacking of an image")


def _unpack(image: str, destination: str, ids: Ids) -> dict[str, str]:
    fd = os.open(image, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, fd)
        kind = os.fstat(fd).st_mode
        if stat.S_ISDIR(kind):
            blobs = _blobs(layers.Directory(fd), image, stack)
        elif not stat.S_ISREG(kind):
            raise OpenShellError(Code.INVALID, f"{image!r} is neither a tar file nor an OCI layout")
        os.mkdir(destination, 0o700)
        _become_root_of(destination, ids)
        with _as_invalid():
            if stat.S_ISREG(kind):
                _extract(stack.enter_context(os.fdopen(fd, "rb", closefd=False)), ids)
                return {}
            for layer, blob in blobs:
                _add(layer, blob, ids)
    return {}


def _blobs(image: layers.Directory, path: str, stack: contextlib.ExitStack) -> list[tuple[layers.Layer, IO[bytes]]]:
    """The layers of a layout, opened for as long as `stack` is. Raises INVALID."""
    found = layers.find(image)
    if found is None:
        raise OpenShellError(Code.INVALID, f"{path!r} is no OCI layout", hint="one has a file 'oci-layout'")
    return [(layer, stack.enter_context(layers.open_blob(image, layer.name))) for layer in found]


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


@contextlib.contextmanager
def _as_invalid() -> Iterator[None]:
    """What the tar file says that cannot be is the image's fault."""
    try:
        yield
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


def _extract(file: IO[bytes], ids: Ids) -> None:
    """A tar file: a plain tree, or an image with layers in it."""
    with tarfile.open(fileobj=file, mode="r:*") as outer:
        image = layers.Archive(outer)
        found = layers.find(image) if outer.next() is not None else None
        if found is None:
            members.apply(outer, ids, whiteouts=False)
            return
        for layer in found:
            with layers.open_blob(image, layer.name) as blob:
                _add(layer, blob, ids)


def _add(layer: layers.Layer, blob: IO[bytes], ids: Ids) -> None:
    with layers.open_layer(blob, layer) as archive:
        members.apply(archive, ids, whiteouts=True)

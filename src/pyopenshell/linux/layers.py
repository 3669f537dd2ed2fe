"""Which layers an image has, lowest first: OCI image layout (index.json), as a tar file or as a directory, and the older
`docker save` (manifest.json), which is a tar file.

Every blob is checked against the digest that names it before it is used. What is read as JSON is at most 4 MiB (the OCI
distribution specification's own limit for a manifest). An index may hold images for several machines: the one for this
machine is taken; several images that do not say for which machine they are cannot be told apart.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import stat
import string
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Protocol

from pyopenshell.errors import Code, OpenShellError

JSON_MAX = 4 * 1024 * 1024
LAYERS_MAX = 1024  # Docker's own limit is 127
DEPTH_MAX = 4  # index in index in ...
_PIECE = 1024 * 1024
_SHOWN = 8  # platforms or names of images in a message
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())  # GOARCH words
_INDEX = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MARK = "oci-layout"  # the file that says that a directory is an image layout
_NAME = "org.opencontainers.image.ref.name"  # annotation of an image in an index
_ONE_IMAGE = "give one image alone: 'docker save IMAGE', or 'skopeo copy oci:DIR:NAME oci:OTHER'"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: its file in the image, and its sha256 in hex where the image says it."""

    name: str
    sha256: str


class Image(Protocol):
    """Files by name."""

    def holds(self, name: str) -> bool:
        """Whether there is anything of that name."""

    def open(self, name: str) -> IO[bytes] | None:
        """A regular file, seekable; None where there is none. Raises INVALID for anything else of that name."""


class Archive:
    """An image in a tar file."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def holds(self, name: str) -> bool:
        """See `Image`."""
        return self._member(name) is not None

    def open(self, name: str) -> IO[bytes] | None:
        """See `Image`."""
        member = self._member(name)
        return self._archive.extractfile(member) if member is not None else None

    def _member(self, name: str) -> tarfile.TarInfo | None:
        for spelling in (name, f"./{name}"):
            with contextlib.suppress(KeyError):
                return self._archive.getmember(spelling)
        return None


class Directory:
    """An image in a directory, from its descriptor. No link in it is followed, nothing is waited for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def holds(self, name: str) -> bool:
        """See `Image`."""
        return os.access(name, os.F_OK, dir_fd=self._fd, follow_symlinks=False)

    def open(self, name: str) -> IO[bytes] | None:
        """See `Image`."""
        *folders, last = name.split("/")
        with contextlib.ExitStack() as stack:
            fd = self._fd
            try:
                for part in folders:
                    fd = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
                    stack.callback(os.close, fd)
                found = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
            except FileNotFoundError:
                return None
            except OSError as failure:
                raise _no_file(name, f": {(failure.strerror or 'error').lower()}") from failure
        if not stat.S_ISREG(os.fstat(found).st_mode):
            os.close(found)
            raise _no_file(name)
        return os.fdopen(found, "rb")


def is_layout(image: Image) -> bool:
    """Whether this is an OCI image layout: a file `oci-layout` with a version. Raises INVALID for one not known here."""
    try:
        mark = image.open(_MARK)
        version = _json(mark, _MARK)["imageLayoutVersion"] if mark is not None else None
    except (ValueError, RecursionError, LookupError, TypeError):
        return False
    except OpenShellError:  # no regular file, or a long one: a tree may hold that
        return False
    if isinstance(version, str) and not version.startswith("1."):
        raise OpenShellError(
            Code.INVALID,
            f"the image layout has version {version[:20]!r}, and 1 is known here",
            hint="write it with 'skopeo copy ... oci:DIR'",
        )
    return isinstance(version, str)


def find(image: Image) -> list[Layer] | None:
    """The layers of an image, or None where this is a plain tree. Raises INVALID for an image that makes no sense."""
    try:
        if is_layout(image):
            manifest = _manifest(image, _parsed(image, "index.json"), 0)
            found = [_layer(item) for item in manifest["layers"]]
        elif (manifests := image.open("manifest.json")) and not image.holds("etc"):
            found = [Layer(str(name), "") for name in _json(manifests, "manifest.json")[0]["Layers"]]
        else:
            return None
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as failure:
        raise OpenShellError(
            Code.INVALID, f"the image's index cannot be read: {failure!r:.80}", hint="write the image anew"
        ) from failure
    if len(found) > LAYERS_MAX:
        raise OpenShellError(Code.INVALID, f"the image has more than {LAYERS_MAX} layers")
    return found


@contextmanager
def open_layer(blob: IO[bytes], layer: Layer) -> Iterator[tarfile.TarFile]:
    """The layer's file as an archive of its own. Raises INVALID where its bytes are not what its name says."""
    if layer.sha256:
        digest = hashlib.sha256()
        while piece := blob.read(_PIECE):
            digest.update(piece)
        if digest.hexdigest() != layer.sha256:
            raise OpenShellError(Code.INVALID, f"layer {layer.sha256[:12]} of the image is damaged")
        blob.seek(0)
    with tarfile.open(fileobj=blob, mode="r:*") as inner:
        yield inner


def open_blob(image: Image, name: str) -> IO[bytes]:
    """A file that must be there. Raises INVALID."""
    file = image.open(name)
    if file is None:
        raise OpenShellError(Code.INVALID, f"{name[:120]!r} is missing in the image", hint="copy the image anew, whole")
    return file


def _manifest(image: Image, index: Any, depth: int) -> Any:
    """The manifest for this machine out of an index that may hold others."""
    listed = index["manifests"]
    choices = [item for item in listed if _fits(item.get("platform"))]
    if not choices or depth >= DEPTH_MAX:
        raise _for_others({_platform(item.get("platform")) for item in listed})
    if len({item["digest"] for item in choices if not item.get("platform")}) > 1:
        names = [str((item.get("annotations") or {}).get(_NAME, item["digest"])) for item in choices]
        raise OpenShellError(
            Code.INVALID, f"the layout holds {len(names)} images: {', '.join(names[:_SHOWN])[:300]}", hint=_ONE_IMAGE
        )
    found = _checked(image, choices[0]["digest"])
    if choices[0].get("mediaType") in _INDEX:
        return _manifest(image, found, depth + 1)
    if "config" in found:
        config = _checked(image, found["config"]["digest"])
        if isinstance(config, dict) and "architecture" in config and not _fits(config):
            raise _for_others({_platform(config)})
    return found


def _fits(wanted: Any) -> bool:
    return not wanted or (wanted.get("architecture") == _ARCHITECTURE and wanted.get("os") == "linux")


def _platform(wanted: Any) -> str:
    return f"{wanted.get('os')}/{wanted.get('architecture')}" if wanted else "any machine"


def _for_others(platforms: set[str]) -> OpenShellError:
    others = f", only for {', '.join(sorted(platforms)[:_SHOWN])[:300]}" if platforms else ""
    return OpenShellError(
        Code.INVALID,
        f"the image has nothing for linux/{_ARCHITECTURE}{others}",
        hint=f"copy it for this machine: skopeo copy --override-os linux --override-arch {_ARCHITECTURE} ...",
    )


def _layer(item: Any) -> Layer:
    if str(item.get("mediaType", "")).endswith("zstd"):
        raise OpenShellError(
            Code.INVALID,
            "a layer of the image is compressed with zstd, which is not read here",
            hint="copy it with another compression: skopeo copy --dest-compress-format gzip ...",
        )
    return _blob(item["digest"])


def _blob(digest: Any) -> Layer:
    algorithm, _, value = str(digest).partition(":")
    if algorithm != "sha256" or len(value) != 64 or set(value) - set(string.hexdigits):
        raise OpenShellError(Code.INVALID, f"digest {str(digest)[:80]!r} of the image is not sha256")
    return Layer(f"blobs/sha256/{value}", value)


def _checked(image: Image, digest: Any) -> Any:
    """The JSON of a blob whose bytes are what its name says."""
    blob = _blob(digest)
    with open_blob(image, blob.name) as file:
        text = file.read(JSON_MAX + 1)
    if hashlib.sha256(text).hexdigest() != blob.sha256:
        raise OpenShellError(Code.INVALID, f"manifest {blob.sha256[:12]} of the image is damaged or too long")
    return json.loads(text)


def _parsed(image: Image, name: str) -> Any:
    return _json(open_blob(image, name), name)


def _json(file: IO[bytes], name: str) -> Any:
    with file:
        text = file.read(JSON_MAX + 1)
    if len(text) > JSON_MAX:
        raise OpenShellError(Code.INVALID, f"{name} of the image is over {JSON_MAX} bytes")
    return json.loads(text)


def _no_file(name: str, reason: str = "") -> OpenShellError:
    return OpenShellError(
        Code.INVALID, f"{name[:120]!r} of the image is no file{reason}", hint="links are not followed: copy with cp -rL"
    )

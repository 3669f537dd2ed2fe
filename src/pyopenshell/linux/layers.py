"""Which layers an image archive has, lowest first: OCI image layout (index.json) and the older `docker save`
(manifest.json).

Every blob is checked against the digest that names it before it is used. What is read as JSON is at most 4 MiB (the OCI
distribution
specification's own limit for a manifest).
"""

from __future__ import annotations

import hashlib
import json
import platform
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from pyopenshell.errors import Code, OpenShellError

JSON_MAX = 4 * 1024 * 1024
LAYERS_MAX = 1024  # Docker's own limit is 127
DEPTH_MAX = 4  # index in index in ...
_PIECE = 1024 * 1024
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())  # GOARCH words
_INDEX = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: its member of the archive, and its sha256 in hex where the archive says it."""

    name: str
    sha256: str


def find(archive: tarfile.TarFile) -> list[Layer] | None:
    """The layers of an image, or None where the archive is a plain tree. Raises INVALID for an image that makes no
    sense.
    """
    first = archive.next()
    if first is None:
        return []
    if (index := _member(archive, "index.json")) and _member(archive, "oci-layout"):
        manifest = _manifest(archive, _json(archive, index), 0)
        found = [_blob(item["digest"]) for item in manifest["layers"]]
    elif (manifests := _member(archive, "manifest.json")) and not _member(archive, "etc"):
        found = [Layer(str(name), "") for name in _json(archive, manifests)[0]["Layers"]]
    else:
        return None
    if len(found) > LAYERS_MAX:
        raise OpenShellError(Code.INVALID, f"the image has more than {LAYERS_MAX} layers")
    return found


@contextmanager
def open_layer(archive: tarfile.TarFile, layer: Layer) -> Iterator[tarfile.TarFile]:
    """The layer as an archive of its own. Raises INVALID where its bytes are not what its name says."""
    blob = _bytes_of(archive, layer.name)
    if layer.sha256:
        digest = hashlib.sha256()
        while piece := blob.read(_PIECE):
            digest.update(piece)
        if digest.hexdigest() != layer.sha256:
            raise OpenShellError(Code.INVALID, f"layer {layer.sha256[:12]} of the image is damaged")
        blob.seek(0)
    with tarfile.open(fileobj=blob, mode="r:*") as inner:
        yield inner


def _manifest(archive: tarfile.TarFile, index: Any, depth: int) -> Any:
    """The manifest for this machine out of an index that may hold others."""
    choices = [item for item in index["manifests"] if _fits(item.get("platform"))]
    if not choices or depth >= DEPTH_MAX:
        raise OpenShellError(Code.INVALID, f"the image has nothing for {_ARCHITECTURE}")
    blob = _blob(choices[0]["digest"])
    text = _bytes_of(archive, blob.name).read(JSON_MAX + 1)
    if hashlib.sha256(text).hexdigest() != blob.sha256:
        raise OpenShellError(Code.INVALID, f"manifest {blob.sha256[:12]} of the image is damaged or too long")
    found = json.loads(text)
    return _manifest(archive, found, depth + 1) if choices[0].get("mediaType") in _INDEX else found


def _fits(wanted: Any) -> bool:
    return not wanted or (wanted.get("architecture") == _ARCHITECTURE and wanted.get("os") == "linux")


def _blob(digest: str) -> Layer:
    algorithm, _, value = str(digest).partition(":")
    if algorithm != "sha256" or len(value) != 64 or not value.isalnum():
        raise OpenShellError(Code.INVALID, f"digest {str(digest)[:80]!r} of the image is not sha256")
    return Layer(f"blobs/sha256/{value}", value)


def _member(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo | None:
    for spelling in (name, f"./{name}"):
        try:
            return archive.getmember(spelling)
        except KeyError:
            continue
    return None


def _json(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    file = archive.extractfile(member)
    text = file.read(JSON_MAX + 1) if file else b""
    if len(text) > JSON_MAX:
        raise OpenShellError(Code.INVALID, f"{member.name} of the image is over {JSON_MAX} bytes")
    return json.loads(text)


def _bytes_of(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = _member(archive, name)
    file = archive.extractfile(member) if member is not None else None
    if file is None:
        raise OpenShellError(Code.INVALID, f"{name[:120]!r} is missing in the image")
    return file

"""Which layers an image archive has, and images that lie."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest

from pyopenshell.errors import OpenShellError
from pyopenshell.linux import layers
from pyopenshell.linux.layers import Layer

Members = dict[str, bytes]


def archive(members: Members) -> tarfile.TarFile:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    buffer.seek(0)
    return tarfile.open(fileobj=buffer)


def blob(members: Members, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    members[f"blobs/sha256/{digest}"] = data
    return f"sha256:{digest}"


def document(members: Members, value: Any) -> str:
    return blob(members, json.dumps(value).encode())


def image(manifests: list[dict[str, Any]], members: Members) -> tarfile.TarFile:
    members["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    members["index.json"] = json.dumps({"manifests": manifests}).encode()
    return archive(members)


def test_a_plain_tree_is_no_image() -> None:
    with archive({"etc/passwd": b"", "bin/sh": b""}) as plain:
        assert layers.find(plain) is None
    with archive({}) as empty:
        assert layers.find(empty) == []


def test_a_layout_names_its_layers_lowest_first() -> None:
    members: Members = {}
    first, second = blob(members, b"one"), blob(members, b"two")
    manifest = document(members, {"layers": [{"digest": first}, {"digest": second}]})
    with image([{"digest": manifest}], members) as made:
        assert layers.find(made) == [Layer(f"blobs/sha256/{digest[7:]}", digest[7:]) for digest in (first, second)]


def test_the_manifest_for_this_machine_is_taken_out_of_an_index() -> None:
    members: Members = {}
    layer = blob(members, b"one")
    mine = document(members, {"layers": [{"digest": layer}]})
    other = {"digest": blob(members, b"{}"), "platform": {"architecture": "s390x", "os": "linux"}}
    this = {"digest": mine, "platform": {"architecture": layers._ARCHITECTURE, "os": "linux"}}
    index = document(members, {"manifests": [other, this]})
    with image([{"digest": index, "mediaType": layers._INDEX[0]}], members) as made:
        assert [found.sha256 for found in layers.find(made) or []] == [layer[7:]]
    with image([other], members) as made, pytest.raises(OpenShellError, match="has nothing for"):
        layers.find(made)


def test_an_older_docker_save_names_files() -> None:
    with archive({"manifest.json": b'[{"Layers": ["a/layer.tar", "b/layer.tar"]}]'}) as made:
        assert layers.find(made) == [Layer("a/layer.tar", ""), Layer("b/layer.tar", "")]


def test_an_index_in_itself_ends() -> None:
    members: Members = {}
    inner = document(members, {"manifests": []})
    for _ in range(layers.DEPTH_MAX + 1):
        inner = document(members, {"manifests": [{"digest": inner, "mediaType": layers._INDEX[0]}]})
    top = [{"digest": inner, "mediaType": layers._INDEX[0]}]
    with image(top, members) as made, pytest.raises(OpenShellError, match="has nothing for"):
        layers.find(made)


@pytest.mark.parametrize("digest", ["md5:abc", "sha256:../../etc/passwd", "sha256:", "", "sha256:" + "." * 64])
def test_a_digest_is_a_sha256_and_no_path(digest: str) -> None:
    with image([{"digest": digest}], {}) as made, pytest.raises(OpenShellError, match="is not sha256"):
        layers.find(made)


def test_a_damaged_manifest_is_not_used() -> None:
    members: Members = {}
    digest = document(members, {"layers": []})
    members[f"blobs/sha256/{digest[7:]}"] = b'{"layers": [{"digest": "x"}]}'
    with image([{"digest": digest}], members) as made, pytest.raises(OpenShellError, match="damaged"):
        layers.find(made)


def test_a_missing_blob_is_named() -> None:
    with image([{"digest": f"sha256:{'0' * 64}"}], {}) as made, pytest.raises(OpenShellError, match="is missing"):
        layers.find(made)


@pytest.mark.parametrize(("count", "fine"), [(layers.LAYERS_MAX, True), (layers.LAYERS_MAX + 1, False)])
def test_layers_are_counted(count: int, fine: bool) -> None:
    with archive({"manifest.json": json.dumps([{"Layers": ["x"] * count}]).encode()}) as made:
        if fine:
            assert len(layers.find(made) or []) == count
        else:
            with pytest.raises(OpenShellError, match="more than 1024 layers"):
                layers.find(made)


@pytest.mark.parametrize(("size", "fine"), [(layers.JSON_MAX, True), (layers.JSON_MAX + 1, False)])
def test_json_has_a_limit(size: int, fine: bool) -> None:
    text = b'[{"Layers": []}]'
    with archive({"manifest.json": text + b" " * (size - len(text))}) as made:
        if fine:
            assert layers.find(made) == []
        else:
            with pytest.raises(OpenShellError, match="is over"):
                layers.find(made)


def test_a_layer_is_opened_only_if_it_is_what_its_name_says() -> None:
    members: Members = {}
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("file"))
    digest = blob(members, inner.getvalue())[7:]
    with archive(members) as outer, layers.open_layer(outer, Layer(f"blobs/sha256/{digest}", digest)) as layer:
        assert layer.getnames() == ["file"]
    members[f"blobs/sha256/{digest}"] += b"x"
    damaged = Layer(f"blobs/sha256/{digest}", digest)
    with archive(members) as outer, pytest.raises(OpenShellError, match="damaged"), layers.open_layer(outer, damaged):
        pass

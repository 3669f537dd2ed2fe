"""Which layers an image archive has, and images that lie."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import layers
from pyopenshell.linux.layers import Archive, Directory, Layer

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
        assert layers.find(Archive(plain)) is None


def test_a_layout_names_its_layers_lowest_first() -> None:
    members: Members = {}
    first, second = blob(members, b"one"), blob(members, b"two")
    manifest = document(members, {"layers": [{"digest": first}, {"digest": second}]})
    with image([{"digest": manifest}], members) as made:
        assert layers.find(Archive(made)) == [
            Layer(f"blobs/sha256/{digest[7:]}", digest[7:]) for digest in (first, second)
        ]


def test_the_manifest_for_this_machine_is_taken_out_of_an_index() -> None:
    members: Members = {}
    layer = blob(members, b"one")
    mine = document(members, {"layers": [{"digest": layer}]})
    other = {"digest": blob(members, b"{}"), "platform": {"architecture": "s390x", "os": "linux"}}
    this = {"digest": mine, "platform": {"architecture": layers._ARCHITECTURE, "os": "linux"}}
    index = document(members, {"manifests": [other, this]})
    with image([{"digest": index, "mediaType": layers._INDEX[0]}], members) as made:
        assert [found.sha256 for found in layers.find(Archive(made)) or []] == [layer[7:]]
    with image([other], members) as made, pytest.raises(OpenShellError, match="has nothing for"):
        layers.find(Archive(made))


def test_an_image_for_other_machines_names_them() -> None:
    members: Members = {}
    others = [
        {"digest": blob(members, b"{}"), "platform": {"architecture": name, "os": "linux"}}
        for name in ("s390x", "riscv64")
    ]
    with (
        image(others, members) as made,
        pytest.raises(OpenShellError, match="only for linux/riscv64, linux/s390x") as caught,
    ):
        layers.find(Archive(made))
    assert f"--override-arch {layers._ARCHITECTURE}" in caught.value.hint
    config = document(members, {"architecture": "s390x", "os": "linux"})
    manifest = document(members, {"config": {"digest": config}, "layers": []})
    with image([{"digest": manifest}], members) as made, pytest.raises(OpenShellError, match="only for linux/s390x"):
        layers.find(Archive(made))


def test_a_config_for_this_machine_or_for_none_is_fine() -> None:
    for config in ({"architecture": layers._ARCHITECTURE, "os": "linux"}, {}):
        members: Members = {}
        manifest = document(members, {"config": {"digest": document(members, config)}, "layers": []})
        with image([{"digest": manifest}], members) as made:
            assert layers.find(Archive(made)) == []


def test_several_images_cannot_be_told_apart() -> None:
    members: Members = {}
    listed = [
        {"digest": document(members, {"layers": [], "n": n}), "annotations": {layers._NAME: f"app:{n}"}}
        for n in range(2)
    ]
    with image(listed, members) as made, pytest.raises(OpenShellError, match="holds 2 images: app:0, app:1") as caught:
        layers.find(Archive(made))
    assert "one image alone" in caught.value.hint
    with image([listed[0], dict(listed[0])], members) as made:  # one image with two names is one image
        assert layers.find(Archive(made)) == []


def test_a_layer_that_this_python_cannot_read_is_said() -> None:
    members: Members = {}
    item = {"digest": blob(members, b"x"), "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd"}
    with (
        image([{"digest": document(members, {"layers": [item]})}], members) as made,
        pytest.raises(OpenShellError, match="compressed with zstd") as caught,
    ):
        layers.find(Archive(made))
    assert "gzip" in caught.value.hint


@pytest.mark.parametrize(
    "index", [b"[]", b"{}", b'{"manifests": 1}', b'{"manifests": [7]}', b"no json", b"[" * 100_000]
)
def test_an_index_that_is_none_is_said(index: bytes) -> None:
    members = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": index}
    with archive(members) as made, pytest.raises(OpenShellError, match="index cannot be read") as caught:
        layers.find(Archive(made))
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize(
    "mark", [b"{}", b"[]", b'"x"', b"no json", b'{"imageLayoutVersion": 1}', b" " * (layers.JSON_MAX + 1)]
)
def test_a_file_of_that_name_alone_makes_no_layout(mark: bytes) -> None:
    with archive({"oci-layout": mark, "index.json": b"{}"}) as made:
        assert layers.is_layout(Archive(made)) is False
        assert layers.find(Archive(made)) is None


def test_a_layout_of_another_version_is_refused() -> None:
    with (
        archive({"oci-layout": b'{"imageLayoutVersion": "2.1"}'}) as made,
        pytest.raises(OpenShellError, match=r"version '2\.1'"),
    ):
        layers.is_layout(Archive(made))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, Directory]]:
    fd = os.open(tmp_path, os.O_PATH)
    yield tmp_path, Directory(fd)
    os.close(fd)


def test_a_layout_in_a_directory_is_read_as_one_in_an_archive(folder: tuple[Path, Directory]) -> None:
    path, directory = folder
    members: Members = {}
    layer = blob(members, b"one")
    manifest = document(members, {"layers": [{"digest": layer}]})
    image([{"digest": manifest}], members).close()
    assert layers.find(directory) is None
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    assert layers.find(directory) == [Layer(f"blobs/sha256/{layer[7:]}", layer[7:])]
    assert directory.holds("index.json")
    assert not directory.holds("manifest.json")
    with layers.open_blob(directory, f"blobs/sha256/{layer[7:]}") as file:
        assert file.read() == b"one"


def test_nothing_in_a_directory_is_followed_or_waited_for(folder: tuple[Path, Directory]) -> None:
    path, directory = folder
    (path / "link").symlink_to("/etc/passwd")
    (path / "blobs").symlink_to("/etc")
    (path / "inner").mkdir()
    os.mkfifo(path / "fifo")
    (path / "file").touch()
    for name in ("link", "blobs/passwd", "inner", "fifo", "file/below"):
        with pytest.raises(OpenShellError, match="is no file") as caught:
            directory.open(name)
        assert "cp -rL" in caught.value.hint
    assert directory.open("none") is None
    with pytest.raises(OpenShellError, match="is missing in the image"):
        layers.open_blob(directory, "inner/none")


def test_a_tree_with_a_manifest_of_its_own_is_a_tree() -> None:
    with archive({"manifest.json": b"[]", "etc": b""}) as made:
        assert layers.find(Archive(made)) is None


def test_an_older_docker_save_names_files() -> None:
    with archive({"manifest.json": b'[{"Layers": ["a/layer.tar", "b/layer.tar"]}]'}) as made:
        assert layers.find(Archive(made)) == [Layer("a/layer.tar", ""), Layer("b/layer.tar", "")]


def test_an_index_in_itself_ends() -> None:
    members: Members = {}
    inner = document(members, {"manifests": []})
    for _ in range(layers.DEPTH_MAX + 1):
        inner = document(members, {"manifests": [{"digest": inner, "mediaType": layers._INDEX[0]}]})
    top = [{"digest": inner, "mediaType": layers._INDEX[0]}]
    with image(top, members) as made, pytest.raises(OpenShellError, match="has nothing for"):
        layers.find(Archive(made))


@pytest.mark.parametrize(
    "digest", ["md5:abc", "sha256:../../etc/passwd", "sha256:", "", "sha256:" + "." * 64, "sha256:" + "z" * 64]
)
def test_a_digest_is_a_sha256_and_no_path(digest: str) -> None:
    with image([{"digest": digest}], {}) as made, pytest.raises(OpenShellError, match="is not sha256"):
        layers.find(Archive(made))


def test_a_damaged_manifest_is_not_used() -> None:
    members: Members = {}
    digest = document(members, {"layers": []})
    members[f"blobs/sha256/{digest[7:]}"] = b'{"layers": [{"digest": "x"}]}'
    with image([{"digest": digest}], members) as made, pytest.raises(OpenShellError, match="damaged"):
        layers.find(Archive(made))


def test_a_missing_blob_is_named() -> None:
    with image([{"digest": f"sha256:{'0' * 64}"}], {}) as made, pytest.raises(OpenShellError, match="is missing"):
        layers.find(Archive(made))


@pytest.mark.parametrize(("count", "fine"), [(layers.LAYERS_MAX, True), (layers.LAYERS_MAX + 1, False)])
def test_layers_are_counted(count: int, fine: bool) -> None:
    with archive({"manifest.json": json.dumps([{"Layers": ["x"] * count}]).encode()}) as made:
        if fine:
            assert len(layers.find(Archive(made)) or []) == count
        else:
            with pytest.raises(OpenShellError, match="more than 1024 layers"):
                layers.find(Archive(made))


@pytest.mark.parametrize(("size", "fine"), [(layers.JSON_MAX, True), (layers.JSON_MAX + 1, False)])
def test_json_has_a_limit(size: int, fine: bool) -> None:
    text = b'[{"Layers": []}]'
    with archive({"manifest.json": text + b" " * (size - len(text))}) as made:
        if fine:
            assert layers.find(Archive(made)) == []
        else:
            with pytest.raises(OpenShellError, match="is over"):
                layers.find(Archive(made))


def test_a_layer_is_opened_only_if_it_is_what_its_name_says() -> None:
    members: Members = {}
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("file"))
    digest = blob(members, inner.getvalue())[7:]
    named = Layer(f"blobs/sha256/{digest}", digest)
    with (
        archive(members) as outer,
        layers.open_blob(Archive(outer), named.name) as file,
        layers.open_layer(file, named) as layer,
    ):
        assert layer.getnames() == ["file"]
    damaged = io.BytesIO(members[named.name] + b"x")
    with pytest.raises(OpenShellError, match="damaged"), layers.open_layer(damaged, named):
        pass

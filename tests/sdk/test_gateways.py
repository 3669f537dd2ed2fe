"""The registry on disk, as this and other clients of the service read and write it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.gateways import Endpoint, Registry, add_fields
from pyopenshell.sdk.paths import Paths

LAB = Endpoint("https", "lab.example", 8443)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("https://127.0.0.1:8443", Endpoint("https", "127.0.0.1", 8443)),
        ("https://lab.example", Endpoint("https", "lab.example", 443)),
        ("http://[::1]:80/", Endpoint("http", "::1", 80)),
        ("http://localhost", Endpoint("http", "localhost", 80)),
    ],
)
def test_endpoints(text: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(text) == endpoint
    assert Endpoint.parse(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    "text",
    ["", "lab", "ftp://lab", "https://", "https://lab:0", "https://lab:65536", "https://a@lab", "https://lab/path",
     "https://lab?x", "https://lab:1:2", "https://la b", "https://lab\n", "https://-lab", "https://lab:x"],
)  # fmt: skip
def test_bad_endpoints(text: str) -> None:
    with pytest.raises(OpenShellError) as caught:
        Endpoint.parse(text)
    assert caught.value.code is Code.INVALID


@given(st.text())
def test_any_text_is_an_endpoint_or_invalid(text: str) -> None:
    try:
        assert Endpoint.parse(str(Endpoint.parse(text)))
    except OpenShellError as error:
        assert error.code is Code.INVALID


def test_files_are_laid_out_as_others_read_them(paths: Paths) -> None:
    registry = Registry(paths)
    saved = registry.save(
        "lab", LAB, is_remote=True, auth_mode="mtls", credentials={"ca.crt": b"CA", "tls.key": b"KEY"}
    )
    directory = paths.config / "gateways" / "lab"
    assert json.loads((directory / "metadata.json").read_text()) == {
        "name": "lab",
        "gateway_endpoint": "https://lab.example:8443",
        "is_remote": True,
        "gateway_port": 8443,
        "auth_mode": "mtls",
    }
    assert (directory / "mtls" / "ca.crt").read_bytes() == b"CA"
    assert (directory / "mtls" / "tls.key").stat().st_mode & 0o777 == 0o600
    assert (paths.config / "active_gateway").read_text().strip() == "lab"
    assert (saved.ca, saved.certificate, saved.key) == tuple(
        directory / "mtls" / name for name in ("ca.crt", "tls.crt", "tls.key")
    )


def test_fields_of_others_are_kept(paths: Paths) -> None:
    registry = Registry(paths)
    registry.save("lab", LAB, is_remote=True, auth_mode="mtls")
    path = paths.gateways / "lab" / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"edge_team": "x"}))
    registry.save("lab", Endpoint("https", "new.example", 1), is_remote=True, auth_mode="token")
    assert json.loads(path.read_text())["edge_team"] == "x"
    assert registry.load("lab").extra["edge_team"] == "x"


def test_which_gateway_is_meant(paths: Paths) -> None:
    registry = Registry(paths)
    with pytest.raises(OpenShellError, match="no gateway is registered") as caught:
        registry.resolve()
    assert caught.value.code is Code.NOT_FOUND
    registry.save("one", LAB, is_remote=True, auth_mode="mtls")
    registry.save("two", LAB, is_remote=True, auth_mode="mtls")
    assert registry.resolve().name == "one"
    registry.select("two")
    assert registry.resolve().name == "two"
    assert registry.resolve("one").name == "one"
    registry.remove("two")
    assert registry.resolve().name == "one"  # the only one needs no selection
    registry.save("three", LAB, is_remote=True, auth_mode="mtls")
    with pytest.raises(OpenShellError, match="no gateway is selected"):
        registry.resolve()


def test_unknown_gateways_are_told_with_the_known_ones(paths: Paths) -> None:
    registry = Registry(paths)
    registry.save("lab", LAB, is_remote=True, auth_mode="mtls")
    for act in (registry.load, registry.select, registry.remove):
        with pytest.raises(OpenShellError, match="known: lab") as caught:
            act("nope")
        assert caught.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("name", ["../x", "a/b", "", "A", "a\n", "a" * 64, "."])
def test_names_never_leave_the_directory(paths: Paths, name: str) -> None:
    for act in (Registry(paths).load, Registry(paths).remove, Registry(paths).directory):
        with pytest.raises(OpenShellError) as caught:
            act(name)
        assert caught.value.code is Code.INVALID


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "{", '{"gateway_endpoint": 1}', '{"gateway_endpoint": "ftp://x"}', "7"]
)
def test_metadata_that_is_none(paths: Paths, text: str) -> None:
    registry = Registry(paths)
    registry.save("lab", LAB, is_remote=True, auth_mode="mtls")
    (paths.gateways / "lab" / "metadata.json").write_text(text)
    with pytest.raises(OpenShellError, match="cannot be read as a gateway") as caught:
        registry.load("lab")
    assert caught.value.code is Code.PRECONDITION
    registry.save("lab", LAB, is_remote=True, auth_mode="mtls")
    assert registry.load("lab").endpoint == LAB


def test_further_fields_are_kept(paths: Paths) -> None:
    registry = Registry(paths)
    made = registry.save("lab", LAB, is_remote=True, auth_mode="mtls", extra={"renew_after": 7.5})
    assert made.extra["renew_after"] == 7.5
    add_fields(made, {"renew_after": 9, "other": "x"})
    assert made.extra["renew_after"] == 9
    again = registry.save("lab", LAB, is_remote=True, auth_mode="mtls")
    assert (again.extra["renew_after"], again.extra["other"]) == (9, "x")
    registry.remove("lab")
    add_fields(made, {"renew_after": 10})
    assert registry.names() == []


def test_a_name_that_is_free(paths: Paths) -> None:
    registry = Registry(paths)
    assert registry.free_name("lab") == "lab"
    for taken in ("lab", "lab-2", "x" * 63):
        registry.save(taken, LAB, is_remote=True, auth_mode="mtls")
    assert registry.free_name("lab") == "lab-3"
    assert registry.free_name("x" * 63) == "x" * 59 + "-2"

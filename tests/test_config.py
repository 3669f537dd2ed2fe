from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pyopenshell.config import (
    FILE_MAX,
    ClientConfig,
    GatewayConfig,
    load_client,
    load_gateway,
    table,
    xdg_dirs,
)
from pyopenshell.config_values import READERS
from pyopenshell.errors import Code, OpenShellError


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_nothing_given_is_the_defaults() -> None:
    assert load_gateway({}) == GatewayConfig()
    assert load_client({}) == ClientConfig()


def test_the_defaults_are_those_of_the_wire_contract() -> None:
    config = GatewayConfig()
    assert (config.connections_per_token, config.connections_per_sandbox, config.granted_connections) == (3, 20, 1000)
    assert (config.claim_timeout, config.session_grace, config.session_ttl) == (10.0, 15.0, 86400.0)
    assert config.relay_budget == 256 * 1024 * 1024


def test_environment_goes_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    file = toml(tmp_path, '[gateway]\nname = "a"\nport = 1\nsession_ttl = "2h"\n')
    environ = {"OPENSHELL_GATEWAY_PORT": "2", "OPENSHELL_AUDIT": "off", "OPENSHELL_GATEWAY_NAME": ""}
    config = load_gateway(environ, file=file, flags={"port": 3, "host": None})
    assert (config.name, config.port, config.session_ttl, config.audit) == ("a", 3, 7200.0, False)
    assert load_gateway(environ, file=file).port == 2
    assert load_gateway({}, file=file).port == 1


def test_one_file_serves_both(tmp_path: Path) -> None:
    file = toml(tmp_path, '[gateway]\nname = "a"\n[client]\noutput = "json"\n')
    assert load_gateway({}, file=file).name == "a"
    assert load_client({}, file=file).output == "json"


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("[gateway]\nprot = 1\n", "key gateway.prot does not exist", "'port'"),
        ("[gateway]\nsession-ttl = 1\n", "key gateway.session-ttl does not exist", "'session_ttl'"),
        ("[gatway]\nport = 1\n", r"table \[gatway\] does not exist", "'gateway'"),
        ("port = 1\n", "key port is in no table", r"[gateway]"),
        ("[client]\nouptut = 'json'\n", "key client.ouptut does not exist", "'output'"),
        ("gateway = 1\n", "gateway is not a table", "[gateway]"),
        ("[gateway.port]\nx = 1\n", "gateway.port .*a port is wanted", ""),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest_in_either_program(
    tmp_path: Path, text: str, words: str, hint: str
) -> None:
    file = toml(tmp_path, text)
    with pytest.raises(OpenShellError, match=words) as caught:
        load_gateway({}, file=file)
    assert caught.value.code is Code.INVALID
    assert hint in caught.value.hint
    assert str(file) in caught.value.message
    if "gateway.port" not in text:
        with pytest.raises(OpenShellError):
            load_client({}, file=file)


def test_an_unknown_flag_is_refused_with_the_nearest() -> None:
    with pytest.raises(OpenShellError, match="setting 'prot' does not exist") as caught:
        load_gateway({}, flags={"prot": 1})
    assert "'port'" in caught.value.hint


def test_a_bad_value_is_named_with_where_it_stands(tmp_path: Path) -> None:
    file = toml(tmp_path, '[gateway]\nport = "many"\n')
    for arguments, where in (
        ({"environ": {}, "file": file}, f"{file}: gateway.port 'many': a port is wanted"),
        ({"environ": {"OPENSHELL_GATEWAY_PORT": "x"}}, "OPENSHELL_GATEWAY_PORT 'x': a port is wanted"),
        ({"environ": {}, "flags": {"claim_timeout": "x"}}, "--claim-timeout 'x': a duration is wanted"),
    ):
        with pytest.raises(OpenShellError) as caught:
            load_gateway(**arguments)
        assert caught.value.message.startswith(where)
        assert caught.value.code is Code.INVALID


def test_secrets_stay_out_of_messages_reprs_and_the_file(tmp_path: Path) -> None:
    config = load_client({"OPENSHELL_TOKEN": "ost_SECRET"})
    assert config.token == "ost_SECRET"
    assert "SECRET" not in repr(config)
    assert "SECRET" not in repr(load_gateway({"OPENSHELL_DATABASE_URL": "postgresql://u:SECRET@h/d"}))
    with pytest.raises(OpenShellError, match=r"client\.token is a secret") as caught:
        load_client({}, file=toml(tmp_path, '[client]\ntoken = "ost_SECRET"\n'))
    assert "SECRET" not in str(caught.value)
    with pytest.raises(OpenShellError) as caught:
        load_client({"OPENSHELL_TOKEN": "SECRET\0"})
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"[gateway\n", Code.INVALID, "is not TOML"),
        (b"\xff\xfe", Code.INVALID, "is not TOML"),
        (b"[gateway]\nport = 1\nport = 2\n", Code.INVALID, "is not TOML"),
        (b"a = " + b"[" * 5000, Code.INVALID, "is not TOML"),
        (b"#" * (FILE_MAX + 1), Code.PRECONDITION, "is not a configuration"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, code: Code, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(OpenShellError, match=words) as caught:
        load_gateway({}, file=path)
    assert caught.value.code is code


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "gone", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(OpenShellError, match=words) as caught:
            load_gateway({}, file=path)
        assert caught.value.code is Code.PRECONDITION


def test_the_table_is_whole() -> None:
    for kind in (GatewayConfig, ClientConfig):
        rows = table(kind)
        assert [row[0] for row in rows] == [field.name for field in dataclasses.fields(kind)]
        assert all(row[1] in READERS and row[4] for row in rows)
        assert len({row[2] for row in rows}) == len(rows)
        assert all(row[2].startswith("OPENSHELL_") for row in rows)
        for name, reader, _, default, _ in rows:
            if default not in (None, ""):
                assert READERS[reader](default) == default, name


def test_every_key_can_be_given_in_the_environment() -> None:
    given = {"text": "x", "name": "n", "path": "/p", "address": "::1", "port": "9", "count": "2", "positive": "2",
             "switch": "no", "duration": "5s", "time": "5s", "size": "1KiB", "list": "a,b", "level": "error",
             "log format": "json", "isolation": "strict", "output": "yaml"}  # fmt: skip
    for kind, load in ((GatewayConfig, load_gateway), (ClientConfig, load_client)):
        for name, reader, env, default, _ in table(kind):
            assert getattr(load({env: given[reader]}), name) not in (default, None), name


def test_xdg_places() -> None:
    home = Path("/home/me")
    dirs = xdg_dirs({}, home)
    assert dirs.config == home / ".config/openshell"
    assert dirs.state == home / ".local/state/openshell"
    assert dirs.runtime == home / ".local/state/openshell/run"
    dirs = xdg_dirs({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}, home)
    assert (dirs.config, dirs.state, dirs.runtime) == (
        Path("/c/openshell"),
        Path("/s/openshell"),
        Path("/r/openshell"),
    )
    assert xdg_dirs({"XDG_STATE_HOME": "relative", "XDG_CONFIG_HOME": ""}, home) == xdg_dirs({}, home)
    assert xdg_dirs({"XDG_STATE_HOME": "/s"}, home).runtime == Path("/s/openshell/run")


@pytest.mark.parametrize("kind", [GatewayConfig, ClientConfig])
def test_the_operators_page_lists_every_key(kind: type[GatewayConfig] | type[ClientConfig]) -> None:
    page = (Path(__file__).parents[1] / "docs" / "operating.md").read_text()
    for key, _, env, _, doc in table(kind):
        assert f"| `{key}` | `{env}` |" in page
        assert doc in page

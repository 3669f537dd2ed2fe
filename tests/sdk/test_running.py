"""What is written of a running gateway, and every way in which it can be unreadable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.gateways import Endpoint, Registry
from pyopenshell.sdk.processes import ProcessName
from pyopenshell.sdk.running import (
    Record,
    Started,
    drains,
    forget,
    gateway_table,
    last_words,
    mark,
    read_ready,
    say_draining,
)
from tests.support.client_gateway import paths_in


def test_a_record_comes_back(tmp_path: Path) -> None:
    record = Record(7, 8, "https://127.0.0.1:9", "/etc/it.toml", "abc")
    record.save(tmp_path)
    assert Record.load(tmp_path) == record
    assert record.process == ProcessName(7, 8)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", '{"pid": "x"}', '{"pid": 1}', '{"pid": [1], "start_time": 2}']
)
def test_a_record_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    assert Record.load(tmp_path) is None
    (tmp_path / "process.json").write_text(text)
    assert Record.load(tmp_path) is None


def test_draining_means_one_process(tmp_path: Path) -> None:
    one, other = ProcessName(71, 8), ProcessName(7, 8)
    say_draining(tmp_path, one)
    assert drains(tmp_path, one) and not drains(tmp_path, other)
    say_draining(tmp_path / "draining" / "below", one)  # where it cannot be written, nothing is


def test_only_the_process_that_ended_is_forgotten(tmp_path: Path) -> None:
    old, new = Record(7, 8), Record(9, 10)
    new.save(tmp_path)
    say_draining(tmp_path, new.process)
    forget(tmp_path, old.process)
    assert Record.load(tmp_path) == new and drains(tmp_path, new.process)
    forget(tmp_path, new.process)
    assert list(tmp_path.iterdir()) == []


def test_the_mark_follows_the_gateways_table_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[gateway]\nport = 1\n[client]\noutput = 'json'\n")
    before = mark(gateway_table(file))
    file.write_text("# a word\n[gateway]\nport = 1\n")
    assert mark(gateway_table(file)) == before != ""
    file.write_text("[gateway]\nport = 2\n")
    assert mark(gateway_table(file)) not in (before, "")


@pytest.mark.parametrize("text", ["", "=", "gateway = 7", "[client]", "\xff"])
def test_a_configuration_without_a_gateway(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    for file in (None, tmp_path / "config.toml", tmp_path / "none", tmp_path):
        assert mark(gateway_table(file)) == ""


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (b'{"endpoint": "https://h:1", "pid": 3, "port": 1}\n',
         {"endpoint": "https://h:1", "pid": 3, "port": 1, "listens": ""}),
        (b'{"endpoint": "https://h:1", "listens": "::", "pid": 3, "port": 1}\n',
         {"endpoint": "https://h:1", "pid": 3, "port": 1, "listens": "::"}),
        (b"", None), (b"rubbish\n", None), (b'{"pid": 3}\n', None), (b"[]\n", None),
    ],
)  # fmt: skip
def test_the_ready_line(said: bytes, found: object) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, said)
    os.close(theirs)
    assert read_ready(ours, 10.0) == found
    os.close(ours)


def test_a_ready_line_that_never_comes() -> None:
    ours, theirs = os.pipe()
    with pytest.raises(OpenShellError, match="not ready within") as caught:
        read_ready(ours, 0.0)
    assert caught.value.code is Code.DEADLINE
    os.close(ours)
    os.close(theirs)


def test_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_words(log, 0) == "it ended without a word"
    log.write_text("of an earlier start\nerror: port 7 is in use\n\n")
    assert last_words(log, 20) == "port 7 is in use"
    assert last_words(log, 999) == "it ended without a word"


def test_who_is_reached_by_others_is_warned(tmp_path: Path) -> None:
    gateway = Registry(paths_in(tmp_path)).save("lab", Endpoint("https", "h", 7), is_remote=False, auth_mode="mtls")
    assert Started(gateway, ProcessName(7, 8), True).warning == ""
    assert Started(gateway, ProcessName(7, 8), True, listens="127.0.0.1").warning == ""
    assert (
        "open to other machines at 0.0.0.0 port 7"
        in Started(gateway, ProcessName(7, 8), True, listens="0.0.0.0").warning
    )

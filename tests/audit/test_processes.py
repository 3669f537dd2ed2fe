from __future__ import annotations

import pytest

from pyopenshell.audit import processes


def test_started(source, relay, whole) -> None:
    event = processes.exec_started(source, 5.0, relay(), ["ls", "-l", "a b"], workdir="/w", tty=True)
    whole(event)
    assert event["type_uid"] == 100701
    assert event["process"] == {"name": "ls", "cmd_line": "ls -l a b", "uid": "chan-1"}
    assert event["device"] == {"type_id": 6, "uid": "sb-1", "name": "web"}
    assert event["unmapped"] == {"relay": "chan-1", "working_directory": "/w", "terminal": True}


def test_ended(source, relay, whole) -> None:
    event = processes.exec_ended(source, 5.0, relay(), ["false"], 1)
    whole(event)
    assert (event["type_uid"], event["exit_code"], event["status"]) == (100702, 1, "Success")
    event = processes.exec_ended(source, 5.0, relay(), ["gone"], 127, reason="no such file")
    assert (event["status"], event["status_detail"]) == ("Failure", "no such file")


def test_what_looks_like_a_secret_in_argv_is_hidden(source, relay) -> None:
    argv = ["curl", "-H", "Authorization: Bearer abcdefgh12345678", "https://me:hunter2@x/", "--password=hunter2"]
    line = processes.exec_started(source, 5.0, relay(), argv)["process"]["cmd_line"]
    assert line == "curl -H Authorization: Bearer [hidden] https://[hidden]@x/ --password=[hidden]"


@pytest.mark.parametrize("argv", [["x" * 2**20], ["x"] * 1024, ["x" * 1023, "y" * 9], []])
def test_a_long_argv_is_cut(source, relay, argv: list[str]) -> None:
    process = processes.exec_started(source, 5.0, relay(), argv)["process"]
    assert len(process["cmd_line"]) <= 1030
    assert len(process["name"]) <= 1030
    assert process["cmd_line"].endswith("…") is (len(" ".join(argv)) > 1024)

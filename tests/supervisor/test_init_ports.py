"""What init reads of /proc, and where it stops."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyopenshell.drivers.messages import readable
from pyopenshell.model import ExecSpec
from pyopenshell.supervisor import init_ports
from pyopenshell.supervisor.init_ports import listening
from tests.support.bare_init import Box, discard

HEADING = "  sl  local_address rem_address   st\n"
LISTENS, CONNECTED, BOUND = "0A", "01", "07"


def line(address: str, state: str, inode: int) -> str:
    return f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / f"{os.getpid()}" / "net").mkdir(parents=True)
    return tmp_path


def table(proc: Path, name: str, *lines: str) -> None:
    (proc / f"{os.getpid()}" / "net" / name).write_text(HEADING + "".join(lines))


def owner(proc: Path, pid: int, comm: bytes, *links: str) -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "comm").write_bytes(comm)
    for number, link in enumerate(links):
        (proc / str(pid) / "fd" / str(number)).symlink_to(link)


def test_rows_have_addresses_owners_and_only_what_listens(proc: Path) -> None:
    table(proc, "tcp", line("0100007F:1F90", LISTENS, 7), line("0100007F:1F91", CONNECTED, 8))
    table(proc, "tcp6", line("00000000000000000000000001000000:0BB8", LISTENS, 9))
    table(proc, "udp", line("00000000:0035", BOUND, 10))
    owner(proc, 41, b"no\xffde\n", "/dev/null", "socket:[7]", "socket:[9]")
    owner(proc, 42, b"dns\n", "socket:[10]")
    assert listening(str(proc)) == {
        "ports": [
            {"port": 53, "address": "0.0.0.0", "pid": 42, "process": "dns", "udp": True},
            {"port": 3000, "address": "::1", "pid": 41, "process": "no\ufffdde", "udp": False},
            {"port": 8080, "address": "127.0.0.1", "pid": 41, "process": "no\ufffdde", "udp": False},
        ],
        "truncated": False,
    }


def test_more_ports_than_the_bound(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init_ports, "PORTS_MAX", 2)
    table(proc, "tcp", *(line(f"0100007F:{port:04X}", LISTENS, port) for port in (1, 2, 3)))
    found = listening(str(proc))
    assert [row["port"] for row in found["ports"]] == [1, 2]
    assert found["truncated"]


@pytest.mark.parametrize(("second", "truncated"), [(LISTENS, True), (CONNECTED, False)])
def test_a_table_that_is_cut_behind_its_listeners_lost_none(
    proc: Path, monkeypatch: pytest.MonkeyPatch, second: str, truncated: bool
) -> None:
    lines = [line("0100007F:0001", LISTENS, 1), line("0100007F:0002", second, 2), line("0100007F:0003", second, 3)]
    monkeypatch.setattr(init_ports, "TABLE_MAX", len(HEADING) + len(lines[0]) + len(lines[1]) + 5)
    table(proc, "tcp", *lines)
    assert listening(str(proc))["truncated"] is truncated


@pytest.mark.parametrize("bound", ["PROCESSES_MAX", "DESCRIPTORS_MAX", "LINKS_MAX"])
def test_an_owner_that_was_not_reached_is_said(proc: Path, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(init_ports, bound, 1)
    table(proc, "tcp", line("0100007F:0001", LISTENS, 7))
    owner(proc, 2, b"other\n", "/dev/null", "/dev/zero")
    owner(proc, 3_000_000, b"late\n", "/dev/null", "/dev/zero")
    found = listening(str(proc))
    assert found["truncated"]


def test_a_table_that_is_a_link_is_not_read(proc: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(HEADING + line("0100007F:0001", LISTENS, 7))
    (proc / f"{os.getpid()}" / "net" / "tcp").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        listening(str(proc))


async def test_in_a_sandbox_the_process_is_named(box: Box) -> None:
    owner_ = await box.connect()
    program = "import socket,time;"
    program += "s=socket.create_server(('127.0.0.1',0));print(s.getsockname()[1],flush=True);time.sleep(600)"
    process = await owner_.spawn(ExecSpec(("/usr/bin/python3", "-c", program)))
    await readable(process.stdout)
    port = int(os.read(process.stdout, 20))
    found = await owner_.ports()
    assert [(row["port"], row["pid"]) for row in found["ports"]] == [(port, process.pid)]
    assert found["ports"][0]["process"].startswith("python3")
    await process.signal(9)
    await process.wait()
    discard(process.stdin, process.stdout, process.stderr)

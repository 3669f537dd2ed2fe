"""The log book: bounds in bytes, the file and its reading back, disks and files that are not ours."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway import log_book
from pyopenshell.gateway.log_book import FILE_NAME, LogBook, LogFilter
from pyopenshell.wire.convert import timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

ALL = LogFilter()


def line(message: str, **fields: object) -> pb.SandboxLogLine:
    return pb.SandboxLogLine(message=message, event_time=timestamp(1000.5), **fields)  # type: ignore[arg-type]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "box").mkdir()
    return tmp_path


async def messages(book: LogBook, sandbox_id: str = "box") -> list[str]:
    return [found.message for _, found in await book.tail(sandbox_id, ALL, 0)]


async def test_lines_are_numbered_and_told_on(directory: Path) -> None:
    book, told = LogBook(directory), []
    stop = book.subscribe(lambda sandbox_id, number, found: told.append((sandbox_id, number, found.message)))
    await book.append("box", [line("a"), line("b")])
    stop()
    await book.append("box", [line("c")])
    assert told == [("box", 0, "a"), ("box", 1, "b")]
    assert [number for number, _ in await book.tail("box", ALL, 2)] == [1, 2]
    assert await book.total("box") == 3


async def test_the_ring_is_bounded_in_bytes(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_book, "RING_MAX", 10_000)
    book = LogBook(directory)
    for n in range(100):
        await book.append("box", [line(f"{n} " + "x" * 1000)])
    kept = await messages(book)
    assert kept[-1].startswith("99 ")
    assert 2 <= len(kept) <= 10


async def test_one_line_is_bounded_too(directory: Path) -> None:
    book = LogBook(directory)
    fields = {f"k{n}": "v" * 5000 for n in range(100)}
    await book.append("box", [line("x" * 200_000, level="L" * 99, target="T" * 999, source="S" * 99, fields=fields)])
    ((_, kept),) = await book.tail("box", ALL, 0)
    assert len(kept.message) == log_book.MESSAGE_MAX
    assert (len(kept.level), len(kept.target), len(kept.source)) == (16, 256, 64)
    assert len(kept.fields) == 32
    assert max(map(len, kept.fields.values())) == 1024


async def test_the_file_is_read_back_with_separators_and_all(directory: Path) -> None:
    book = LogBook(directory)
    odd = "a\u2028b\x85c\r\nd \U0001f600 \x1b[31m"
    await book.append("box", [line(odd, level="WARN", target="stderr", source="s", fields={"k": "v"})])
    with (directory / "box" / FILE_NAME).open("a") as file:
        file.write('{"time": 1.0, "level": "INFO", "mess')
    ((number, read),) = await LogBook(directory).tail("box", ALL, 0)
    assert number == 0
    assert read.message == odd
    assert (read.level, read.target, read.source, dict(read.fields)) == ("WARN", "stderr", "s", {"k": "v"})
    assert read.event_time.ToMilliseconds() == 1000_500
    assert (directory / "box" / FILE_NAME).stat().st_mode & 0o777 == 0o600


async def test_the_file_is_rotated_once(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_book, "FILE_MAX", 1000)
    book = LogBook(directory)
    for n in range(50):
        await book.append("box", [line(f"{n} " + "x" * 100)])
    sizes = {path.name: path.stat().st_size for path in (directory / "box").iterdir()}
    assert set(sizes) == {FILE_NAME, f"{FILE_NAME}.1"}
    assert max(sizes.values()) < 1500


async def test_only_the_end_of_a_long_file_is_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = LogBook(directory)
    await book.append("box", [line(f"line {n}") for n in range(200)])
    monkeypatch.setattr(log_book, "RING_MAX", 1000)
    read = await messages(LogBook(directory))
    assert read[-1] == "line 199"
    assert len(read) < 20


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "directory", "missing"])
async def test_a_file_that_is_not_ours_is_neither_written_nor_read(
    directory: Path, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    target, path = tmp_path / "target", directory / "box" / FILE_NAME
    target.write_text('{"time": 1.0, "level": "INFO", "source": "s", "message": "theirs"}\n')
    match kind:
        case "link":
            path.symlink_to(target)
        case "hard link":
            path.hardlink_to(target)
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case _:
            path.parent.rmdir()
    book = LogBook(directory)
    with caplog.at_level(logging.WARNING):
        await book.append("box", [line("a")])
        await book.append("box", [line("b")])
    assert len(caplog.records) == 1
    assert (await messages(book))[-2:] == ["a", "b"]
    assert "message" in target.read_text()
    assert '"a"' not in target.read_text()


async def test_a_full_disk_costs_the_file_alone(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    (directory / "box" / FILE_NAME).symlink_to("/dev/full")
    book = LogBook(directory)
    await book.append("box", [line("a")])
    assert await messages(book) == ["a"]


async def test_forgotten_rings_are_empty(directory: Path) -> None:
    book = LogBook(directory)
    await book.append("box", [line("a")])
    (directory / "box" / FILE_NAME).unlink()
    book.forget("box")
    assert await messages(book) == []


def test_filters() -> None:
    assert LogFilter(min_level="warn").wants(line("x", level="ERROR"))
    assert not LogFilter(min_level="warn").wants(line("x", level="INFO"))
    assert LogFilter(min_level="info").wants(line("x", level="unheard of"))
    assert LogFilter(sources=frozenset({"a"})).wants(line("x", source="a"))
    assert not LogFilter(sources=frozenset({"a"})).wants(line("x", source="b"))
    assert LogFilter(since=1000.5).wants(line("x"))
    assert not LogFilter(since=1000.6).wants(line("x"))
    with pytest.raises(OpenShellError) as caught:
        LogFilter(min_level="loud")
    assert caught.value.code is Code.INVALID

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, text

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.database import LOG_ROOM, Database, sqlite_url
from pyopenshell.store.store import Store


async def test_all_work_is_done_by_one_thread_that_is_not_ours(url: str) -> None:
    database = Database(url)
    threads = await asyncio.gather(*(database.run(lambda _: threading.get_ident()) for _ in range(10)))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()
    await database.close()


async def test_sqlite_is_set_up_as_promised(url: str) -> None:
    database = Database(url)

    def pragmas(connection):
        names = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]

    assert await database.run(pragmas) == ["wal", 1, 2, 5000]
    await database.close()


async def test_what_raises_leaves_nothing(store: Store, sandbox) -> None:
    class Crash(Exception):
        pass

    def half(connection):
        connection.execute(text("INSERT INTO meta (key, value) VALUES ('half', 'made')"))
        raise Crash

    with pytest.raises(Crash):
        await store._database.run(half)
    query = text("SELECT count(*) FROM meta WHERE key = 'half'")
    assert await store._database.run(lambda connection: connection.execute(query).scalar()) == 0


async def test_a_cancelled_caller_does_not_stop_the_next(url: str) -> None:
    database = Database(url)
    entered, go_on = threading.Event(), threading.Event()

    def slow(_):
        entered.set()
        go_on.wait(10)
        return "done"

    first = asyncio.ensure_future(database.run(slow))
    await asyncio.to_thread(entered.wait, 10)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.ensure_future(database.run(lambda _: "next"))
    go_on.set()
    assert await second == "next"
    await database.close()


async def test_after_close_it_is_unavailable_and_no_thread_is_left(url: str) -> None:
    before = threading.active_count()
    database = Database(url)
    await database.run(lambda _: None)
    await database.close()
    await database.close()
    assert threading.active_count() == before
    with pytest.raises(OpenShellError, match="is closed") as caught:
        await database.run(lambda _: None)
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("no url", "cannot be read"),
        ("mysql://u:SECRET@h/d", "'mysql' are not supported"),
        ("postgresql+nosuchdriver://u:SECRET@h/d", "there is no database driver"),
        ("postgresql+pg8000://u:SECRET@h/d", "driver of this database is not installed"),
    ],
)
def test_a_url_that_cannot_be_used_is_said_without_its_password(bad: str, words: str) -> None:
    with pytest.raises(OpenShellError, match=words) as caught:
        Database(bad)
    assert caught.value.code is Code.PRECONDITION
    assert "SECRET" not in str(caught.value)


# --- disks that refuse --------------------------------------------------------------------------------------------


def limit_pages(store: Store, pages: int) -> None:
    """Make SQLite itself answer SQLITE_FULL at `pages`, the code that ENOSPC gives (sqlite.org/rescode.html#full)."""
    event.listen(
        store._database._engine,
        "begin",
        lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}"),
    )


async def fill(store: Store, sandbox) -> OpenShellError:
    for number in range(400):
        try:
            await store.sandboxes.create(sandbox(f"big-{number}", reason="x" * 20_000))
        except OpenShellError as error:
            return error
    raise AssertionError("the disk never became full")


async def test_a_full_disk_is_exhausted_and_leaves_whole_rows(store: Store, sandbox) -> None:
    limit_pages(store, 60)
    error = await fill(store, sandbox)
    assert error.code is Code.EXHAUSTED
    assert "the database's disk is full" in error.message
    assert "free space" in error.hint
    rows = await store.sandboxes.all()
    assert rows
    assert all(len(row.reason) == 20_000 for row in rows)
    # reading and deleting still work, and once there is room again so does writing
    for row in rows:
        assert await store.sandboxes.delete(row.id)
    await store.sandboxes.create(sandbox("after", reason="y" * 20_000))


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may grow past `size`: write(2) answers EFBIG, as a quota answers EDQUOT. Needs no rights."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_disk_that_refuses_to_grow_is_exhausted_and_heals(store: Store, sandbox) -> None:
    first = await store.sandboxes.create(sandbox("first"))
    with file_size_limit(400_000):
        error = await fill(store, sandbox)
        assert error.code is Code.EXHAUSTED
        assert "quota" in error.hint
        assert await store.sandboxes.get(first.id) == first
        assert await store.sandboxes.delete(first.id)  # that needs no room
    await store.sandboxes.create(sandbox("after"))
    assert {len(row.reason) for row in await store.sandboxes.all()} == {0, 20_000}


async def test_what_deletes_needs_no_room_in_a_log_that_was_just_made(url: str, sandbox) -> None:
    store = await Store.open(url)
    made = [await store.sandboxes.create(sandbox(f"one-{number}")) for number in range(20)]
    await store.close()
    store = await Store.open(url)
    with file_size_limit(LOG_ROOM):
        for record in made:
            assert await store.sandboxes.delete(record.id)
    await store.close()


async def test_a_new_database_on_a_full_disk_is_refused_with_words(url: str) -> None:
    with file_size_limit(8192), pytest.raises(OpenShellError) as caught:
        await Store.open(url)
    assert caught.value.code is Code.EXHAUSTED
    await (await Store.open(url)).close()  # and what the attempt left is no hindrance


async def test_a_database_that_cannot_be_written_is_a_precondition(url: str, sandbox) -> None:
    await (await Store.open(url)).close()
    read_only = Database(f"{url.replace('sqlite:///', 'sqlite:///file:')}?immutable=1&uri=true")
    with pytest.raises(OpenShellError, match="cannot be written") as caught:
        await read_only.run(lambda connection: connection.execute(text("DELETE FROM meta")))
    assert caught.value.code is Code.PRECONDITION
    await read_only.close()


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OpenShellError, match="cannot be opened") as caught:
        await Store.open(sqlite_url(tmp_path / "gone" / "gateway.db"))
    assert caught.value.code is Code.PRECONDITION
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(OpenShellError, match="is damaged") as caught:
        await Store.open(sqlite_url(path))
    assert caught.value.code is Code.PRECONDITION


async def test_a_database_that_another_process_holds(url: str, tmp_path: Path, monkeypatch, sandbox) -> None:
    monkeypatch.setattr("pyopenshell.store.database.BUSY_TIMEOUT_MS", 0)
    store = await Store.open(url)
    other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OpenShellError, match="held by another process") as caught:
        await store.sandboxes.create(sandbox())
    assert caught.value.code is Code.UNAVAILABLE
    other.execute("ROLLBACK")
    other.close()
    await store.sandboxes.create(sandbox())
    await store.close()


WRITER = """
import asyncio, sys
from pyopenshell.model import new_id
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.store.store import Store

async def main():
    store = await Store.open(sys.argv[1])
    number = 0
    while True:
        record = SandboxRecord(id=new_id(), name=f"s{number}", created_at=0.0, reason="x" * 5000)
        await store.sandboxes.create(record)
        base = await store.id_bases.claim(record.id)
        print(record.id, base, flush=True)
        number += 1

asyncio.run(main())
"""


async def test_what_was_answered_outlives_a_kill_at_any_moment(url: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    answered = [(await process.stdout.readline()).split() for _ in range(40)]
    process.kill()
    answered += [line.split() for line in (await process.stdout.read()).splitlines() if line.count(b" ") == 1]
    await process.wait()
    store = await Store.open(url)
    rows = {record.id: record for record in await store.sandboxes.all()}
    assert 0 <= len(rows) - len(answered) <= 1  # one may have been made and not yet answered
    assert all(len(record.reason) == 5000 for record in rows.values())
    for sandbox_id, base in answered:
        assert await store.id_bases.get(sandbox_id.decode()) == int(base)
    await store.close()

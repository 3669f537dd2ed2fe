"""One database connection, one worker thread, one transaction per piece of work.

The gateway's event loop never waits for a disk: `run` hands a function to the worker thread, where it runs inside a
transaction that commits when the function returns and rolls back when it raises, so that a row is never half made. One
thread means that two pieces of work never interleave; a compare-and-set needs no further lock.

A cancelled `run` still finishes in its thread: the work has then happened, or not, but never in part.

On a full disk the write-ahead log cannot grow, but what it holds can be written to its place in the database, and then its
own space is free again: so a write that found no room is tried a second time after that. The log is given some room at the
start, when there is likely some, so that what frees space (a sandbox is deleted) needs none.

What is special to SQLite is in `_prepare_sqlite` alone: the write-ahead log (readers do not block the writer, one fsync for
a commit), foreign keys (off by default), a busy timeout for a person's `sqlite3` shell beside us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.failures import translate

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5000  # sqlite3.connect's own default; another process holds a write lock for milliseconds
SCHEMES = ("sqlite", "postgresql")
#: Bytes of the write-ahead log made at the start; to delete a sandbox takes some 10 pages of 4 KiB.
LOG_ROOM = 256 * 1024


def sqlite_url(path: Path) -> str:
    """The database URL of a SQLite file at `path`."""
    return f"sqlite:///{path}"


class Database:
    """Runs functions against one database on one thread. `url` is a SQLAlchemy URL (`sqlite:////path`, `postgresql://…`).

    Raises PRECONDITION for a URL that cannot be used. Nothing is opened before the first `run`.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._closed = False

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work(connection)` in one transaction on the worker thread and return its answer.

        What `work` raises is raised here, after a rollback. Database errors become EXHAUSTED (disk full), PRECONDITION
        (read-only, damaged), CONFLICT (a unique or foreign key), UNAVAILABLE (held, lost) or INTERNAL.
        """
        if self._closed:
            raise OpenShellError(Code.UNAVAILABLE, "the database is closed")
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._transaction, work)

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        try:
            try:
                return self._attempt(work)
            except DBAPIError as error:
                if self._engine.dialect.name != "sqlite" or translate(error).code is not Code.EXHAUSTED:
                    raise
                self._empty_log()
                return self._attempt(work)
        except SQLAlchemyError as error:
            raise translate(error) from error

    def _attempt(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def _empty_log(self) -> None:
        """Write what the log holds to its place, if that can be, so that the next write begins at the log's beginning."""
        with contextlib.suppress(sqlite3.Error), contextlib.closing(self._engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(RESTART)").close()  # forbidden in a transaction

    async def close(self) -> None:
        """Finish what was handed in, close the connection, end the thread. Idempotent."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._worker, self._engine.dispose)
            self._worker.shutdown()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        raise OpenShellError(
            Code.PRECONDITION, "the database URL cannot be read", hint="use sqlite:////path/file.db or postgresql://…"
        ) from None
    if parsed.get_backend_name() not in SCHEMES:
        raise OpenShellError(
            Code.PRECONDITION,
            f"databases of kind {parsed.get_backend_name()!r} are not supported",
            hint=f"use {' or '.join(SCHEMES)}",
        )
    try:
        engine = create_engine(parsed, poolclass=QueuePool, pool_size=1, max_overflow=0, hide_parameters=True)
    except ImportError as error:
        raise OpenShellError(
            Code.PRECONDITION,
            f"the driver of this database is not installed: {error.name}",
            hint="install it beside pyopenshell",
        ) from None
    except SQLAlchemyError:
        raise OpenShellError(
            Code.PRECONDITION,
            f"there is no database driver {parsed.drivername[:80]!r}",
            hint="use sqlite:////path/file.db or postgresql://…",
        ) from None
    if parsed.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, Path(parsed.database or ""))
    return engine


def _prepare_sqlite(engine: Engine, path: Path) -> None:
    @event.listens_for(engine, "do_connect")
    def _private_file(*_: Any) -> None:
        # SQLite gives -wal and -shm the mode of the file, so made 0600 here all three are; an error is SQLite's to tell.
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError:
            pass

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late for a read before a write
        try:
            for pragma in (
                f"busy_timeout={BUSY_TIMEOUT_MS}",
                "journal_mode=WAL",
                "synchronous=FULL",  # a revoked token stays revoked after a power cut
                "foreign_keys=ON",
            ):
                connection.execute(f"PRAGMA {pragma}").close()
            connection.execute("SELECT 1 FROM sqlite_master").close()  # now the log's file is there
            _make_room(path.with_name(f"{path.name}-wal"))
        except BaseException:
            connection.close()  # the pool does not know it yet
            raise

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


def _make_room(log: Path) -> None:
    """Let the log's file have LOG_ROOM: SQLite begins at its beginning and never shortens it (sqlite.org/walformat.html)."""
    try:
        with log.open("r+b") as file:
            if file.seek(0, os.SEEK_END) < LOG_ROOM:
                os.posix_fallocate(file.fileno(), 0, LOG_ROOM)
    except OSError:
        pass  # no room now: what works without it works

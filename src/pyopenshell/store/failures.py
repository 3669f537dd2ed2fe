"""What a database's refusal means for people: one table from the driver's code to a code of ours, with the cure.

SQLite names its result by `sqlite_errorname` (https://www.sqlite.org/rescode.html), PostgreSQL by `sqlstate`
(appendix A of its manual). A text is never parsed: it changes with the language and the version.
"""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from pyopenshell.errors import Code, OpenShellError

_FULL = (Code.EXHAUSTED, "the database's disk is full", "free space on the disk that holds it, then try again")
_WRITE_REFUSED = (
    Code.EXHAUSTED,
    "the disk under the database refused a write",
    "look for a full disk, a quota or a limit on file size (ulimit -f), then try again",
)
_READONLY = (
    Code.PRECONDITION,
    "the database cannot be written",
    "the file, its directory or its disk is read-only for this user",
)
_CANNOT_OPEN = (
    Code.PRECONDITION,
    "the database cannot be opened",
    "check that its directory exists and belongs to this user, and that the disk is not full",
)
_BUSY = (Code.UNAVAILABLE, "the database is held by another process", "end that process, then try again")
_DAMAGED = (Code.PRECONDITION, "the database is damaged", "put a backup in its place, or move it away to start empty")
_IO = (Code.UNAVAILABLE, "the disk under the database answered with an error", "see the kernel's log for the disk")
_LOST = (Code.UNAVAILABLE, "the database server cannot be reached", "check the database URL and that server")

#: Longest prefix wins: `SQLITE_IOERR_WRITE` before `SQLITE_IOERR`; SQLSTATE classes are their first two characters.
FAILURES: dict[str, tuple[Code, str, str]] = {
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": _IO,
    "SQLITE_IOERR_WRITE": _WRITE_REFUSED,
    "SQLITE_IOERR_FSYNC": _WRITE_REFUSED,
    "SQLITE_IOERR_TRUNCATE": _WRITE_REFUSED,
    "SQLITE_IOERR_SHMSIZE": _WRITE_REFUSED,
    "SQLITE_READONLY": _READONLY,
    "SQLITE_PERM": _READONLY,
    "SQLITE_CANTOPEN": _CANNOT_OPEN,
    "SQLITE_BUSY": _BUSY,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
    "53100": _FULL,
    "53": (Code.EXHAUSTED, "the database server has no room", "see that server's log"),
    "25006": _READONLY,
    "08": _LOST,
    "57P": _LOST,
}


def failure_name(error: DBAPIError) -> str:
    """The driver's own name of `error`: `SQLITE_FULL`, a SQLSTATE, or empty where it gives none."""
    origin = error.orig
    name = getattr(origin, "sqlite_errorname", None) or getattr(origin, "sqlstate", None)
    return str(name or "")


def translate(error: SQLAlchemyError) -> OpenShellError:
    """The error of ours for `error`. Its text names no row's content, so that no secret can be in it."""
    if isinstance(error, IntegrityError):
        return OpenShellError(Code.CONFLICT, "the database already holds such a row")
    name = failure_name(error) if isinstance(error, DBAPIError) else ""
    for length in range(len(name), 1, -1):
        found = FAILURES.get(name[:length])
        if found is not None:
            code, message, hint = found
            return OpenShellError(code, f"{message} ({name})", hint=hint)
    return OpenShellError(Code.INTERNAL, f"the database failed ({name or type(error).__name__})")

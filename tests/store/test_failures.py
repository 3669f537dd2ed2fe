from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError

from pyopenshell.errors import Code
from pyopenshell.store.failures import translate


class Sqlite(Exception):
    def __init__(self, name: str) -> None:
        super().__init__("raw text with a SECRET")
        self.sqlite_errorname = name


class Postgres(Exception):
    def __init__(self, state: str) -> None:
        super().__init__("raw text with a SECRET")
        self.sqlstate = state


@pytest.mark.parametrize(
    ("origin", "code", "words"),
    [
        (Sqlite("SQLITE_FULL"), Code.EXHAUSTED, "disk is full"),
        (Sqlite("SQLITE_IOERR_WRITE"), Code.EXHAUSTED, "refused a write"),
        (Sqlite("SQLITE_IOERR_SHMSIZE"), Code.EXHAUSTED, "refused a write"),
        (Sqlite("SQLITE_IOERR_READ"), Code.UNAVAILABLE, "answered with an error"),
        (Sqlite("SQLITE_READONLY"), Code.PRECONDITION, "cannot be written"),
        (Sqlite("SQLITE_READONLY_DIRECTORY"), Code.PRECONDITION, "cannot be written"),
        (Sqlite("SQLITE_CANTOPEN"), Code.PRECONDITION, "cannot be opened"),
        (Sqlite("SQLITE_BUSY_SNAPSHOT"), Code.UNAVAILABLE, "held by another process"),
        (Sqlite("SQLITE_NOTADB"), Code.PRECONDITION, "damaged"),
        (Sqlite("SQLITE_SOMETHING"), Code.INTERNAL, "SQLITE_SOMETHING"),
        (Postgres("53100"), Code.EXHAUSTED, "disk is full"),
        (Postgres("53300"), Code.EXHAUSTED, "no room"),
        (Postgres("25006"), Code.PRECONDITION, "cannot be written"),
        (Postgres("08006"), Code.UNAVAILABLE, "cannot be reached"),
        (Postgres("57P01"), Code.UNAVAILABLE, "cannot be reached"),
        (Postgres("42601"), Code.INTERNAL, "42601"),
        (Exception("SECRET"), Code.INTERNAL, "DBAPIError"),
    ],
)
def test_codes_and_words(origin: Exception, code: Code, words: str) -> None:
    error = translate(DBAPIError("INSERT", {"token": "SECRET"}, origin))
    assert error.code is code
    assert words in error.message
    assert "SECRET" not in str(error)
    assert bool(error.hint) is (code is not Code.INTERNAL)


def test_a_broken_constraint_is_a_conflict_and_the_library_itself_internal() -> None:
    assert translate(IntegrityError("INSERT", None, Sqlite("SQLITE_CONSTRAINT_UNIQUE"))).code is Code.CONFLICT
    assert translate(InvalidRequestError("SECRET")).message == "the database failed (InvalidRequestError)"

from __future__ import annotations

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from pyopenshell.store import store as _all_tables  # noqa: F401
from pyopenshell.store.schema import metadata


def test_these_are_the_tables() -> None:
    assert {"api_tokens", "id_bases", "invitations", "meta", "principals", "sandboxes", "ssh_sessions"} <= set(
        metadata.tables
    )


def test_each_table_can_be_said_in_both_dialects() -> None:
    for table in metadata.sorted_tables:
        for dialect in (sqlite.dialect(), postgresql.dialect()):
            assert table.name in str(CreateTable(table).compile(dialect=dialect))

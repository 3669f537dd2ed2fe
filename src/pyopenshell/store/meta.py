"""The meta table: the schema version, so that an older gateway never writes into a newer one's database."""

from __future__ import annotations

from sqlalchemy import Column, Connection, String, Table, Text, insert, select

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.schema import metadata

SCHEMA_VERSION = 1  # raise it with every change of a table, and add the step from the one before to `check_version`

meta = Table(
    "meta",
    metadata,
    Column("key", String(63), primary_key=True),
    Column("value", Text, nullable=False),
)

_VERSION_KEY = "schema_version"


def check_version(connection: Connection) -> None:
    """Return when the database is of this version, after writing the version into an empty one.

    Raises PRECONDITION for a newer database, and for one whose version cannot be read.
    """
    found = connection.execute(select(meta.c.value).where(meta.c.key == _VERSION_KEY)).scalar_one_or_none()
    if found is None:
        connection.execute(insert(meta).values(key=_VERSION_KEY, value=str(SCHEMA_VERSION)))
        return
    if found == str(SCHEMA_VERSION):
        return
    if found.isascii() and found.isdigit() and int(found) > SCHEMA_VERSION:
        raise OpenShellError(
            Code.PRECONDITION,
            f"the database has schema version {found}, and this gateway knows versions up to {SCHEMA_VERSION}",
            hint="a newer gateway wrote it: upgrade pyopenshell, or give this gateway another --state directory",
        )
    raise OpenShellError(
        Code.PRECONDITION,
        f"the database has schema version {found[:20]!r}, which no gateway wrote",
        hint="put a backup in its place, or move it away to start empty",
    )

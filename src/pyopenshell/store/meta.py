"""The meta table: the schema version, so that an older gateway never writes into a newer one's database, and the steps
from each version to the next.

A step says what has to become of tables that are there already; a new table needs none, because `Store.open` makes the
tables that are missing, after the steps and in the same transaction. So a migration that fails leaves the database as it
was, for the gateway that wrote it.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, String, Table, Text, insert, select, update

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.schema import metadata

#: From each version to the next: statements that SQLite and PostgreSQL both know. Every change of a table that has been
#: in a release is a step here.
STEPS: dict[int, tuple[str, ...]] = {
    1: ("ALTER TABLE sandboxes ADD COLUMN host VARCHAR(63) DEFAULT '' NOT NULL",),
}
SCHEMA_VERSION = max(STEPS) + 1

meta = Table(
    "meta",
    metadata,
    Column("key", String(63), primary_key=True),
    Column("value", Text, nullable=False),
)

_VERSION_KEY = "schema_version"


def migrate(connection: Connection) -> None:
    """Bring a database of an older version to this one, and write the version into an empty one.

    Raises PRECONDITION for a newer database, and for one whose version cannot be read.
    """
    found = connection.execute(select(meta.c.value).where(meta.c.key == _VERSION_KEY)).scalar_one_or_none()
    if found is None:
        connection.execute(insert(meta).values(key=_VERSION_KEY, value=str(SCHEMA_VERSION)))
        return
    if found in map(str, range(min(STEPS), SCHEMA_VERSION + 1)):
        for version in range(int(found), SCHEMA_VERSION):
            for statement in STEPS[version]:
                connection.exec_driver_sql(statement)
        connection.execute(update(meta).where(meta.c.key == _VERSION_KEY).values(value=str(SCHEMA_VERSION)))
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

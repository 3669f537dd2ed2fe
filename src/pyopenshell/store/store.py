"""The gateway's database as one object: `store.sandboxes`, `store.ssh_sessions`, `store.api_tokens`, and so on."""

from __future__ import annotations

from sqlalchemy import Connection

from pyopenshell.store.api_tokens import ApiTokens
from pyopenshell.store.database import Database
from pyopenshell.store.hosts import HostTable
from pyopenshell.store.id_bases import IdBases
from pyopenshell.store.invitations import Invitations
from pyopenshell.store.meta import meta, migrate
from pyopenshell.store.principals import Principals
from pyopenshell.store.sandboxes import Sandboxes
from pyopenshell.store.schema import metadata
from pyopenshell.store.ssh_sessions import SshSessions


class Store:
    """Open with `await Store.open(sqlite_url(state_dir / "gateway.db"))`, after the state directory's lock is held."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.sandboxes = Sandboxes(database)
        self.ssh_sessions = SshSessions(database)
        self.api_tokens = ApiTokens(database)
        self.id_bases = IdBases(database)
        self.hosts = HostTable(database)
        self.invitations = Invitations(database)
        self.principals = Principals(database)

    @classmethod
    async def open(cls, url: str) -> Store:
        """Connect, bring an older database to this version, make the tables that are missing.

        Raises PRECONDITION for a database of a newer version (naming both), a damaged or read-only one; EXHAUSTED for a
        full disk.
        """
        database = Database(url)

        def work(connection: Connection) -> None:
            meta.create(connection, checkfirst=True)
            migrate(connection)  # before anything else: a newer database is left as it is
            metadata.create_all(connection)

        try:
            await database.run(work)
        except BaseException:
            await database.close()
            raise
        return cls(database)

    async def close(self) -> None:
        """Finish what was handed in and close. Idempotent."""
        await self._database.close()

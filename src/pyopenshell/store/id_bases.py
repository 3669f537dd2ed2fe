"""The id_bases table: which range of user and group ids belongs to which sandbox, for as long as the sandbox exists.

A range is 65,536 ids from `base` on, which the sandbox sees as 0..65535, plus one id more, `supervisor_id(base)`, which is
not mapped inside. Ranges are drawn at random from 0x80000-0x6FFFFFFF (systemd's container range, systemd.io/UIDS-GIDS),
so that gateways on one machine that do not know each other hardly ever meet, and are unique in this database.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, String, Table, insert, select
from sqlalchemy.exc import IntegrityError

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.database import Database
from pyopenshell.store.schema import metadata

id_bases = Table(
    "id_bases",
    metadata,
    Column("sandbox_id", String(36), ForeignKey("sandboxes.id", ondelete="CASCADE"), primary_key=True),
    Column("base", BigInteger, nullable=False, unique=True),
)

ID_LOW = 0x80000
ID_HIGH = 0x6FFFFFFF  # the last id that may be used
ID_COUNT = 0x10000  # ids mapped into one sandbox
ID_STRIDE = 0x20000  # the second half holds the supervisor's id alone, so that no neighbour's range can reach it


#: Every base there is: 14,332 of them.
BASES = range(ID_LOW, ID_HIGH + 1 - ID_STRIDE + 1, ID_STRIDE)


def supervisor_id(base: int) -> int:
    """The id that the supervisor of the sandbox with this base runs as: the first one behind its range."""
    return base + ID_COUNT


class IdBases:
    """The table, asynchronously. Every method may also raise what `Database.run` raises."""

    def __init__(self, database: Database, source: random.Random | None = None) -> None:
        self._database = database
        self._random = source or random.SystemRandom()

    async def claim(self, sandbox_id: str, *, avoid: Sequence[tuple[int, int]] = ()) -> int:
        """The base of this sandbox: the one it has, or a free one, now kept. `avoid` are (first id, count) pairs in use.

        Raises EXHAUSTED when no range is free, NOT_FOUND when there is no such sandbox.
        """

        def work(connection: Connection) -> int:
            mine = connection.execute(select(id_bases.c.base).where(id_bases.c.sandbox_id == sandbox_id)).scalar()
            if mine is not None:
                return int(mine)
            taken = set(connection.execute(select(id_bases.c.base)).scalars())
            free = [base for base in BASES if base not in taken and not _overlaps(base, avoid)]
            if not free:
                raise OpenShellError(
                    Code.EXHAUSTED, "no free range of user ids is left for a sandbox", hint="delete sandboxes"
                )
            base = self._random.choice(free)
            try:
                connection.execute(insert(id_bases).values(sandbox_id=sandbox_id, base=base))
            except IntegrityError:  # `base` was free in this transaction, so it is the foreign key
                raise OpenShellError(Code.NOT_FOUND, f"sandbox {sandbox_id!r} does not exist") from None
            return base

        return await self._database.run(work)

    async def get(self, sandbox_id: str) -> int | None:
        """The base of this sandbox, or None."""
        query = select(id_bases.c.base).where(id_bases.c.sandbox_id == sandbox_id)
        return await self._database.run(lambda connection: connection.execute(query).scalar())


def _overlaps(base: int, avoid: Sequence[tuple[int, int]]) -> bool:
    return any(first < base + ID_STRIDE and base < first + count for first, count in avoid)

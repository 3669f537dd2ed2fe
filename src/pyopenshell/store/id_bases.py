"""The id_bases table: which range of user and group ids belongs to which sandbox, for as long as the sandbox exists.

A range is 65,536 ids from `base` on, which the sandbox sees as 0..65535, plus one id more, `supervisor_id(base)`, which is
not mapped inside. Ranges are drawn at random from 0x80000-0x6FFFFFFF (systemd's container range, systemd.io/UIDS-GIDS),
so that gateways on one machine that do not know each other hardly ever meet, and are unique in this database.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pyopenshell.store.database import Database

ID_LOW = 0x80000
ID_HIGH = 0x6FFFFFFF  # the last id that may be used
ID_COUNT = 0x10000  # ids mapped into one sandbox
ID_STRIDE = 0x20000  # the second half holds the supervisor's id alone, so that no neighbour's range can reach it


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
        raise NotImplementedError

    async def get(self, sandbox_id: str) -> int | None:
        """The base of this sandbox, or None."""
        raise NotImplementedError

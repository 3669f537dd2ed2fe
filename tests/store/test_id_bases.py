from __future__ import annotations

import asyncio
import random

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import new_id
from pyopenshell.store.database import Database
from pyopenshell.store.id_bases import BASES, ID_COUNT, ID_HIGH, ID_LOW, ID_STRIDE, IdBases, supervisor_id
from pyopenshell.store.store import Store


def test_every_range_and_its_supervisor_lie_inside_and_apart() -> None:
    assert BASES[0] == ID_LOW
    assert BASES[-1] + ID_STRIDE - 1 <= ID_HIGH < BASES[-1] + 2 * ID_STRIDE
    assert all(supervisor_id(base) == base + 65536 < base + ID_STRIDE for base in BASES)
    assert ID_COUNT == 65536
    assert len(BASES) == 14332


async def test_a_sandbox_keeps_its_base_until_it_is_deleted(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox())
    assert await store.id_bases.get(made.id) is None
    base = await store.id_bases.claim(made.id)
    assert base in BASES
    assert await store.id_bases.claim(made.id) == await store.id_bases.get(made.id) == base
    await store.sandboxes.delete(made.id)
    assert await store.id_bases.get(made.id) is None


async def test_claims_at_once_are_apart(store: Store, sandbox) -> None:
    made = [await store.sandboxes.create(sandbox(f"s{number}")) for number in range(20)]
    bases = await asyncio.gather(*(store.id_bases.claim(record.id) for record in made))
    assert len(set(bases)) == 20


async def test_two_gateways_do_not_begin_at_the_same_place(url: str, store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox())
    database = Database(url)
    assert await IdBases(database, random.Random(1)).claim(made.id) != BASES[0]
    await database.close()


@pytest.mark.parametrize("edge", [(BASES[7], 1), (BASES[7] + ID_STRIDE - 1, 1), (BASES[7] - 5, 10), (0, 2**32)])
async def test_what_is_in_use_is_avoided_also_where_it_only_touches(store: Store, sandbox, edge) -> None:
    made = await store.sandboxes.create(sandbox())
    others = [(ID_LOW, BASES[7] - ID_LOW), (BASES[8], ID_HIGH)]
    with pytest.raises(OpenShellError, match="no free range") as caught:
        await store.id_bases.claim(made.id, avoid=[*others, edge])
    assert caught.value.code is Code.EXHAUSTED
    assert await store.id_bases.claim(made.id, avoid=others) == BASES[7]


async def test_no_base_for_a_sandbox_that_is_not_there(store: Store) -> None:
    with pytest.raises(OpenShellError, match="does not exist") as caught:
        await store.id_bases.claim(new_id())
    assert caught.value.code is Code.NOT_FOUND

from __future__ import annotations

import threading

import pytest

from pyopenshell.errors import OpenShellError
from pyopenshell.store.store import Store


async def test_a_store_that_could_not_be_opened_leaves_no_thread(tmp_path) -> None:
    before = threading.active_count()
    with pytest.raises(OpenShellError):
        await Store.open(f"sqlite:///{tmp_path}/gone/gateway.db")
    assert threading.active_count() == before


async def test_what_one_store_closed_the_next_one_opens(url: str, sandbox) -> None:
    first = await Store.open(url)
    made = await first.sandboxes.create(sandbox())
    await first.close()
    await first.close()
    second = await Store.open(url)
    assert await second.sandboxes.all() == [made]
    await second.close()

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Limits, Phase, SandboxSpec, new_id
from pyopenshell.store.store import Store

FULL = {
    "spec": SandboxSpec(
        source="dir:/srv/image",
        env={"A": "1", "ÄÖ": "\udcff"},
        workdir="/w",
        command=("sh", "-c", "true"),
        limits=Limits(cpu=1.5, memory=2**30, best_effort=True),
        log_level="debug",
    ),
    "labels": {"team": "red"},
    "annotations": {"why": "ünder test"},
    "phase": Phase.COMPLETED,
    "reason": "exit 0",
    "exit_code": 0,
    "instance_id": "i-1",
    "started_at": 101.25,
    "restart_count": 2,
    "changed_at": 102.5,
    "deleted_at": 103.0,
    "host_key": "ssh-ed25519 AAAA",
    "host_key_private": "PRIVATE-PEM",
    "host_key_fingerprint": "SHA256:x",
    "facts": {"isolation": "range"},
    "owner": "alice",
}


def modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


async def test_everything_that_is_written_is_read_back_also_by_another_store(url: str, store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox(**FULL))
    other = await Store.open(url)
    assert await other.sandboxes.get(made.id) == made
    await other.close()


async def test_the_private_key_is_not_in_the_repr(sandbox) -> None:
    assert "PRIVATE" not in repr(sandbox(**FULL))


async def test_create_begins_at_version_1_and_refuses_a_second_of_the_name(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox("web", resource_version=9))
    assert made.resource_version == 1
    with pytest.raises(OpenShellError, match="sandbox 'web' already exists") as caught:
        await store.sandboxes.create(sandbox("web"))
    assert caught.value.code is Code.CONFLICT
    await store.sandboxes.create(sandbox("web", workspace="other"))


async def test_create_of_one_name_at_once_makes_one(store: Store, sandbox) -> None:
    answers = await asyncio.gather(*(store.sandboxes.create(sandbox("web")) for _ in range(20)), return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert len(await store.sandboxes.all()) == 1


async def test_resolve_by_name_and_by_id(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox("web"))
    assert await store.sandboxes.resolve("web") == made
    assert await store.sandboxes.resolve(made.id) == made


@pytest.mark.parametrize("name", ["nothing", "", "x" * 5000, "a/b", "web\n", "' OR 1=1 --"])
async def test_resolve_of_the_unknown_is_not_found(store: Store, sandbox, name: str) -> None:
    await store.sandboxes.create(sandbox("web"))
    with pytest.raises(OpenShellError, match="does not exist") as caught:
        await store.sandboxes.resolve(name)
    assert caught.value.code is Code.NOT_FOUND
    assert len(caught.value.message) < 200


async def test_another_workspaces_sandbox_is_unknown_by_name_and_by_id(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox("web", workspace="other"))
    for asked in ("web", made.id):
        with pytest.raises(OpenShellError) as caught:
            await store.sandboxes.resolve(asked)
        assert caught.value.code is Code.NOT_FOUND
    assert await store.sandboxes.resolve(made.id, "other") == made


async def test_a_name_that_looks_like_another_ones_id_is_no_way_in(store: Store, sandbox) -> None:
    first = await store.sandboxes.create(sandbox("first"))
    second = await store.sandboxes.create(sandbox(first.id))
    assert await store.sandboxes.resolve(first.id) == first
    assert await store.sandboxes.resolve(second.id) == second


async def test_replace_writes_once_for_each_version(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox("web"))
    ready = await store.sandboxes.replace(dataclasses.replace(made, phase=Phase.READY))
    assert (ready.phase, ready.resource_version) == (Phase.READY, 2)
    with pytest.raises(OpenShellError, match="changed by another call") as caught:
        await store.sandboxes.replace(dataclasses.replace(made, phase=Phase.ERROR))
    assert caught.value.code is Code.CONFLICT
    assert await store.sandboxes.get(made.id) == ready


async def test_of_many_replaces_at_once_one_wins(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox("web"))
    answers = await asyncio.gather(
        *(store.sandboxes.replace(dataclasses.replace(made, reason=str(n))) for n in range(20)), return_exceptions=True
    )
    winners = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert [await store.sandboxes.get(made.id)] == winners


async def test_replace_of_the_gone_is_not_found_and_of_a_fixed_field_changes_nothing(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox("web"))
    await store.sandboxes.replace(dataclasses.replace(made, name="other", created_at=1.0))
    assert (await store.sandboxes.resolve("web")).created_at == 100.0
    await store.sandboxes.delete(made.id)
    with pytest.raises(OpenShellError) as caught:
        await store.sandboxes.replace(made)
    assert caught.value.code is Code.NOT_FOUND


async def test_edits_at_once_all_count(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox("web"))

    def once_more(record):
        return dataclasses.replace(record, restart_count=record.restart_count + 1)

    await asyncio.gather(*(store.sandboxes.edit(made.id, once_more) for _ in range(20)))
    found = await store.sandboxes.get(made.id)
    assert found is not None
    assert (found.restart_count, found.resource_version) == (20, 21)


async def test_an_edit_that_changes_nothing_keeps_the_version_and_one_that_raises_writes_nothing(
    store: Store, sandbox
) -> None:
    made = await store.sandboxes.create(sandbox("web"))
    assert await store.sandboxes.edit(made.id, lambda record: record) == made

    def refuse(record):
        raise OpenShellError(Code.PRECONDITION, "not now")

    with pytest.raises(OpenShellError, match="not now"):
        await store.sandboxes.edit(made.id, refuse)
    assert await store.sandboxes.get(made.id) == made
    with pytest.raises(OpenShellError) as caught:
        await store.sandboxes.edit(new_id(), refuse)
    assert caught.value.code is Code.NOT_FOUND


async def test_delete_says_whether_there_was_one(store: Store, sandbox) -> None:
    made = await store.sandboxes.create(sandbox("web"))
    assert await store.sandboxes.delete(made.id) is True
    assert await store.sandboxes.delete(made.id) is False
    assert await store.sandboxes.get(made.id) is None


@pytest.mark.parametrize(("count", "size"), [(0, 2), (1, 2), (2, 2), (3, 2), (7, 3), (5, 1)])
async def test_pages_hold_everything_once_in_order(store: Store, sandbox, count: int, size: int) -> None:
    for number in range(count):
        await store.sandboxes.create(sandbox(f"s{number}", workspace=f"w{number % 2}"))
    seen, token, pages = [], "", 0
    while True:
        page = await store.sandboxes.list(workspace=None, page_size=size, page_token=token)
        assert len(page.items) <= size
        seen += [(item.workspace, item.name) for item in page.items]
        token, pages = page.next_token, pages + 1
        if not token:
            break
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen) == count
    assert pages == max(1, -(-count // size))


async def test_rows_made_and_deleted_between_pages_shift_nothing(store: Store, sandbox) -> None:
    made = {name: await store.sandboxes.create(sandbox(name)) for name in ("b", "c", "d", "e")}
    first = await store.sandboxes.list(page_size=2)
    await store.sandboxes.delete(made["c"].id)  # the row that the token names
    await store.sandboxes.create(sandbox("a"))
    second = await store.sandboxes.list(page_size=2, page_token=first.next_token)
    assert [item.name for item in first.items + second.items] == ["b", "c", "d", "e"]


async def test_selectors_are_exact_and_all_must_hold(store: Store, sandbox) -> None:
    await store.sandboxes.create(sandbox("a", labels={"team": "red", "env": "dev", "x.io/y": "1"}))
    await store.sandboxes.create(sandbox("b", labels={"team": "red", "env": "prod"}))
    await store.sandboxes.create(sandbox("c", labels={"team": "redder", "empty": ""}))

    async def names(selector: str) -> list[str]:
        return [item.name for item in (await store.sandboxes.list(selector=selector)).items]

    assert await names("team=red") == ["a", "b"]
    assert await names("team=red,env=prod") == ["b"]
    assert await names(" team=red , env=dev ") == ["a"]
    assert await names("x.io/y=1") == ["a"]
    assert await names("empty=") == ["c"]
    assert await names("none=") == []
    assert await names("") == ["a", "b", "c"]


async def test_a_page_token_of_another_query_is_refused(store: Store, sandbox) -> None:
    for name in ("a", "b"):
        await store.sandboxes.create(sandbox(name, labels={"k": "v"}))
    token = (await store.sandboxes.list(page_size=1)).next_token
    with pytest.raises(OpenShellError, match="another query"):
        await store.sandboxes.list(page_size=1, page_token=token, selector="k=v")
    with pytest.raises(OpenShellError, match="another query"):
        await store.sandboxes.list(page_size=1, page_token=token, workspace=None)


async def test_all_is_in_order_of_birth(store: Store, sandbox) -> None:
    await store.sandboxes.create(sandbox("young", created_at=9.0))
    await store.sandboxes.create(sandbox("old", created_at=1.0))
    assert [record.name for record in await store.sandboxes.all()] == ["old", "young"]


async def test_the_files_of_the_database_are_private(store: Store, sandbox, tmp_path: Path) -> None:
    await store.sandboxes.create(sandbox())
    assert modes(tmp_path) == {"gateway.db": 0o600, "gateway.db-wal": 0o600, "gateway.db-shm": 0o600}

"""Work that is not the gateway's own to do: find the shape, probe, unpack, copy, remove, each in a fork of the zygote.

The gateway has threads, where a fork is no good beginning, and a sandbox's files belong to the sandbox's ids.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.configs import TaskConfig, ids_of, ids_to_json, send_config
from pyopenshell.drivers.files import SandboxFiles, check_source
from pyopenshell.drivers.orders import OrderKind
from pyopenshell.drivers.zygote import Zygote, answer
from pyopenshell.linux.ids import Ids, Shape, range_ids
from pyopenshell.linux.namespaces import remove_tree
from pyopenshell.model import new_id

#: A probe makes one sandbox, which takes milliseconds; the zygote's first start is in it.
PROBE_TIMEOUT = 60.0


async def probe(zygote: Zygote, ids: Ids) -> dict[str, str]:
    """The facts of a throw-away sandbox. Raises SetupFailed, UNAVAILABLE, DEADLINE."""
    done = await _run(zygote, TaskConfig("probe", ids_to_json(ids)), PROBE_TIMEOUT)
    return {str(key): str(value) for key, value in done.items()}


async def shape(zygote: Zygote, base: int) -> tuple[Ids, str]:
    """The best ids that can be had here, and why they are no better ("" for no reason). Raises SetupFailed, UNAVAILABLE."""
    done = await _run(zygote, TaskConfig("shape", ids_to_json(range_ids(base))), PROBE_TIMEOUT)
    return ids_of(**json.loads(str(done["ids"]))), str(done["because"])


async def source(zygote: Zygote, birth: Birth, files: SandboxFiles, ids: Ids) -> str:
    """The directory that the view is made of, "" for the host's; an image is unpacked once, a directory copied once where
    it cannot be used as it is, each beside its final place.

    Raises what `check_source` does, INVALID for a broken image, EXHAUSTED for a full disk, SetupFailed; nothing stays then.
    """
    kind, path = check_source(birth.spec)
    work = "unpack" if kind == "image" else ""
    if kind == "dir" and ids.shape is Shape.RANGE and not files.image.exists():
        done = await _run(zygote, TaskConfig("try mount", ids_to_json(ids), path), PROBE_TIMEOUT)
        work = "copy" if done["because"] else ""
    if work and not files.image.exists():
        partial = files.image.with_suffix(".partial")
        if partial.exists():
            await remove(zygote, partial, ids)
        try:
            await _run(zygote, TaskConfig(work, ids_to_json(ids), path, str(partial)), None)
        except BaseException:
            if partial.exists():
                await remove(zygote, partial, ids)
            raise
        partial.rename(files.image)
    return files.tree(birth.spec.source)


async def remove(zygote: Zygote, directory: Path, ids: Ids) -> None:
    """Remove a directory with a sandbox's files, whatever modes they have. Raises OSError, SetupFailed."""
    if ids.shape is Shape.SUBRANGE:
        await _run(zygote, TaskConfig("remove", ids_to_json(ids), str(directory)), None)
    else:
        await asyncio.to_thread(remove_tree, ids, str(directory))


async def _run(zygote: Zygote, task: TaskConfig, timeout: float | None) -> dict[str, object]:
    with await zygote.child(OrderKind.TASK, new_id()) as sock:
        send_config(sock, task)
        message, _fds = await answer(sock, "done", timeout=timeout)
    return dict(message["done"])

"""One piece of work that needs the ids of a sandbox and a single-threaded process: what `_WORK` names.

The driver lives in a gateway with threads, where a fork is no good beginning; so it orders a fork of the zygote. What
images need (tarfile and its like) is imported in the forks that have one, not in the memory of all. The answer is
`{"done": facts}` or `{"failed": {step, errno, text, hint}}`, then the process ends.
"""

from __future__ import annotations

import contextlib
import errno
import json
import socket
from collections.abc import Callable

from pyopenshell.drivers.configs import TaskConfig, ids_of, ids_to_json, receive_config
from pyopenshell.drivers.messages import close_all, send_message
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.namespaces import remove_tree
from pyopenshell.linux.probe import probe
from pyopenshell.linux.shapes import find
from pyopenshell.linux.steps import SetupFailed

_NO_ROOM = "make room on the disk of the gateway's state directory; nothing of this was kept"


def _unpack(config: TaskConfig) -> dict[str, str]:
    from pyopenshell.linux import trees

    trees.unpack(config.path, config.destination, ids_of(**config.ids))
    return {}


def _try_mount(config: TaskConfig) -> dict[str, str]:
    from pyopenshell.linux import copies

    return {"because": copies.why_not_as_it_is(config.path, ids_of(**config.ids))}


def _copy(config: TaskConfig) -> dict[str, str]:
    from pyopenshell.linux import copies

    copies.copy(config.path, config.destination, ids_of(**config.ids))
    return {}


def _remove(config: TaskConfig) -> dict[str, str]:
    with contextlib.suppress(FileNotFoundError):
        remove_tree(ids_of(**config.ids), config.path)
    return {}


def _probe(config: TaskConfig) -> dict[str, str]:
    return probe(ids_of(**config.ids))


def _shape(config: TaskConfig) -> dict[str, str]:
    """The best ids for a range at `ids`, in JSON, and why they are no better."""
    found = find(ids_of(**config.ids).uids[0].outside)
    return {"ids": json.dumps(ids_to_json(found.ids)), "because": found.because}


_WORK: dict[str, Callable[[TaskConfig], dict[str, str]]] = {
    "unpack": _unpack,
    "try mount": _try_mount,
    "copy": _copy,
    "remove": _remove,
    "probe": _probe,
    "shape": _shape,
}


def born(config: socket.socket, _trusted: list[int]) -> int:
    """Entry of the zygote's fork: do the work and answer; the answer is the exit status."""
    raw, fds = receive_config(config)
    close_all(fds)
    task = TaskConfig(**raw)
    try:
        answer: dict[str, object] = {"done": _WORK[task.work](task)}
    except SetupFailed as failed:
        answer = {"failed": {"step": failed.step, "errno": failed.errno, "text": failed.text, "hint": failed.hint}}
    except OpenShellError as failed:
        answer = {"refused": {"code": failed.code.value, "message": failed.message, "hint": failed.hint}}
    except OSError as failed:
        text = f"{failed.strerror}: {failed.filename}" if failed.filename else str(failed)
        if failed.errno in (errno.ENOSPC, errno.EDQUOT):
            full = f"{task.work}: {text}"
            answer = {"refused": {"code": Code.EXHAUSTED.value, "message": full, "hint": _NO_ROOM}}
        else:
            answer = {"failed": {"step": task.work, "errno": failed.errno or 0, "text": text, "hint": ""}}
    send_message(config, answer)
    return 0 if "done" in answer else 1

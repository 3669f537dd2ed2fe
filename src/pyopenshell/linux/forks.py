"""One piece of work in a forked child, whose answer or failure comes back as if it had been called here.

What changes a process for ever (its ids, its namespaces, its root) is done in a child. Call it in a single-threaded
process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
from collections.abc import Callable
from typing import Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import steps

ANSWER_MAX = 64 * 1024  # bytes: what a pipe holds without a reader, pipe(7)


def call(work: Callable[[], dict[str, str]], what: str) -> dict[str, str]:
    """Run `work` in a child and wait for it. Raises what it raised of SetupFailed, OpenShellError and OSError;
    INTERNAL for anything else.
    """
    heard, told = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        pid = os.fork()
        if pid == 0:
            _answer(work, told)
        os.waitpid(pid, 0)
        # Once, when the child has ended: a grandchild may hold the other end for as long as it lives.
        data = os.read(heard, ANSWER_MAX) if select.select([heard], [], [], 0)[0] else b""
    finally:
        os.close(heard)
        os.close(told)
    report: dict[str, Any] = json.loads(data) if data else {}
    if "done" in report:
        return dict(report["done"])
    if "step" in report:
        raise steps.SetupFailed(report["step"], report["errno"], report["text"], report["hint"])
    if "code" in report:
        raise OpenShellError(Code(report["code"]), report["text"], hint=report["hint"])
    if "errno" in report:
        raise OSError(report["errno"], report["text"])
    raise OpenShellError(Code.INTERNAL, f"{what} ended without an answer: {report.get('text', 'it was killed')}")


def _answer(work: Callable[[], dict[str, str]], told: int) -> None:
    """The child. Never returns."""
    report: dict[str, object]
    try:
        report = {"done": work()}
    except steps.SetupFailed as failure:
        report = {"step": failure.step, "errno": failure.errno, "text": failure.text, "hint": failure.hint}
    except OpenShellError as failure:
        report = {"code": failure.code.value, "text": failure.message, "hint": failure.hint}
    except OSError as failure:
        report = {"errno": failure.errno or 0, "text": steps.words(failure)}
    except BaseException as failure:  # a defect of ours: said to the caller, who has nothing else
        report = {"text": repr(failure)[:1000]}
    with contextlib.suppress(OSError):
        os.write(told, json.dumps(report).encode())
    os._exit(0)

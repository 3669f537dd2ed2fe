"""One control stream of one sandbox host: what it is told, in order, and the orders that it has still to answer.

    accepted ── heartbeats in silences ── order 1 ── order 2 ──          (gateway)
    hello ── heartbeats ───────────────── answer 2 ── answer 1 ── ended ── (host)

Answers come in any order. When the stream ends, whatever waits for an answer fails UNAVAILABLE: nobody knows whether it was
done, and the next session settles it (`lifecycle.take_up`). A host is not believed: what it says is bounded and cleaned
here, an answer to no order is dropped, and one that reads nothing or never answers is given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import check_label, is_id
from pyopenshell.text import clean
from pyopenshell.wire.convert import duration
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

PENDING_MAX = 1024  # orders without an answer, and messages that wait to be sent: one for each sandbox of a large host
REASON_MAX = 500  # characters of what a host says, as of what a supervisor says
FACTS_MAX = 64  # facts of a host or of a sandbox; a driver of ours tells a dozen
FACT_MAX = 200  # characters of one
LABELS_MAX = 64  # labels of one host, as of one sandbox
IDS_MAX = 4096  # sandboxes, and ranges of ids, in a hello: far more than a machine holds
ID_MAX = 2**32 - 1  # of user and group ids (user_namespaces(7))

#: Seconds for an answer. A start unpacks an image (sdk.sandboxes.READY_TIMEOUT is 120) and starts a supervisor; a delete
#: stops first and removes as many files as there are.
TIMEOUTS = {"start": 180.0, "adopt": 60.0, "stop": 60.0, "delete": 180.0, "processes": 5.0}

#: Codes that a host's refusal may have at a caller; that it cannot say who calls or may not is not its to say.
_CODES = frozenset(Code) - {Code.UNAUTHENTICATED, Code.FORBIDDEN}


class HostSession:
    """`next` is for the one writer of the stream, `answered` for its reader, `order` for everybody else."""

    def __init__(self, host: str, session_id: str, machine: str, interval: float) -> None:
        self.host = host
        self.session_id = session_id
        self.machine = machine
        self.interval = interval
        self.ended: OpenShellError | None = None
        self._messages: deque[ext.GatewayOrder] = deque()
        self._changed = asyncio.Event()
        self._pending: dict[int, asyncio.Future[ext.HostAnswer]] = {}
        self._serial = 0
        accepted = ext.HostAccepted(session_id=session_id, name=host, heartbeat_interval=duration(interval))
        self._messages.append(ext.GatewayOrder(accepted=accepted))

    async def order(self, kind: str, value: Any) -> ext.HostAnswer:
        """Give an order (`kind` is its field in `Order`) and wait for the answer.

        Raises what the host answers, UNAVAILABLE when the stream ends, DEADLINE after TIMEOUTS[kind], EXHAUSTED.
        """
        if self.ended is not None:
            raise self.ended
        if max(len(self._pending), len(self._messages)) >= PENDING_MAX:
            raise OpenShellError(Code.EXHAUSTED, f"host {self.host} has {PENDING_MAX} orders to answer")
        self._serial += 1
        number = self._serial
        answer: asyncio.Future[ext.HostAnswer] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        self._messages.append(ext.GatewayOrder(order=ext.Order(**{"id": number, kind: value})))
        self._changed.set()
        try:
            async with asyncio.timeout(TIMEOUTS[kind]):
                said = await answer
        except TimeoutError:
            raise OpenShellError(
                Code.DEADLINE, f"host {self.host} did not answer '{kind}' within {TIMEOUTS[kind]:.0f} s"
            ) from None
        finally:
            del self._pending[number]
        if said.error:
            raise self._refused(said)
        return said

    def answered(self, answer: ext.HostAnswer) -> None:
        """The host answers; what nobody waits for is dropped."""
        waiting = self._pending.get(answer.order)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def end(self, reason: OpenShellError) -> None:
        """Nothing more: the stream ends, for the first reason that is given, and with it all that waits."""
        if self.ended is not None:
            return
        self.ended = reason
        self._messages.clear()
        self._changed.set()
        for waiting in self._pending.values():
            if not waiting.done():
                lost = OpenShellError(Code.UNAVAILABLE, f"host {self.host} was lost: {reason.message}")
                waiting.set_exception(lost)
                waiting.exception()  # looked at: whoever asked may have gone

    async def next(self) -> ext.GatewayOrder | None:
        """The next message; a heartbeat after an interval of silence; None at the end."""
        while not self._messages:
            if self.ended is not None:
                return None
            self._changed.clear()
            try:
                async with asyncio.timeout(self.interval):
                    await self._changed.wait()
            except TimeoutError:
                return ext.GatewayOrder(heartbeat=ext.HostHeartbeat())
        return self._messages.popleft()

    def _refused(self, answer: ext.HostAnswer) -> OpenShellError:
        code = answer.error if answer.error in _CODES else Code.UNAVAILABLE
        words = clean(answer.message, REASON_MAX) or "it does not say why"
        return OpenShellError(Code(code), f"host {self.host}: {words}", hint=clean(answer.hint, REASON_MAX))


def shown_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """`facts` of a host, cleaned; those over FACTS_MAX are left out."""
    kept = sorted(facts)[:FACTS_MAX]
    return {clean(name, FACT_MAX): clean(facts[name], FACT_MAX) for name in kept}


def check_hello(hello: ext.HostHello) -> None:
    """Raise INVALID for a hello that is too long or malformed."""
    if len(hello.labels) > LABELS_MAX:
        raise OpenShellError(Code.INVALID, f"{len(hello.labels)} labels are over the limit of {LABELS_MAX}")
    for key, value in hello.labels.items():
        check_label(key, value)
    if max(len(hello.sandbox_ids), len(hello.taken_ids)) > IDS_MAX:
        raise OpenShellError(Code.INVALID, f"the hello names more than {IDS_MAX} sandboxes or ranges of ids")
    if not all(is_id(sandbox_id) for sandbox_id in hello.sandbox_ids):
        raise OpenShellError(Code.INVALID, "the hello names a sandbox by something that is no id")
    if any(each.first + each.count > ID_MAX for each in hello.taken_ids):
        raise OpenShellError(Code.INVALID, f"the hello names ids over {ID_MAX}")

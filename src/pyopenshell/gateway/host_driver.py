"""A driver whose sandboxes are on another machine: each call is an order to that host, and its answer.

It outlives the host's sessions. While there is none every call fails UNAVAILABLE, naming the host and since when; callers
keep what they wanted in the records and do it when the host is back. A host speaks for the sandboxes that it was told to
run and for nothing else: an end that it reports counts once for each start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import get_args

from pyopenshell.drivers.base import Birth, Driver, ProcessKind, ProcessName
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.host_session import REASON_MAX, HostSession, shown_facts
from pyopenshell.model import SandboxSpec
from pyopenshell.text import clean
from pyopenshell.wire import sandbox_spec
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

PROCESSES_MAX = 16  # of one sandbox; it has two
_KINDS: dict[int, ProcessKind] = {
    ext.Process.Kind.Value(f"KIND_{kind.upper()}"): kind for kind in get_args(ProcessKind)
}
#: Fact that says whether a host holds a limit (`drivers.limits.probed`), by the limit's word.
_LIMIT_FACTS = {"cpu": "limit_cpu", "memory": "limit_memory"}


class HostDriver(Driver):
    """The sandboxes of one host. `since` is when it was connected, or lost, None for one that is not registered; `facts` are
    those of its last hello.
    """

    name = "host"

    def __init__(self, host: str, since: float | None = None, facts: Mapping[str, str] | None = None) -> None:
        self.host = host
        self.since = since
        self.facts = dict(facts or {})
        self.taken_ids: Sequence[tuple[int, int]] = ()
        self.session: HostSession | None = None
        self._told: set[str] = set()  # sandboxes that it was told to run, whose end it may report

    @property
    def ranges(self) -> bool:
        """Whether its sandboxes have a range of ids of their own."""
        return self.facts.get("isolation") == "range"

    def away(self) -> str:
        """`host lab1 is not connected since 2026-11-23T22:00:00Z`, "" while it is connected."""
        return "" if self.session is not None else lost_words(self.host, self.since)

    async def probe(self) -> Mapping[str, str]:
        """What it found itself when it said hello."""
        return self.facts

    def check(self, spec: SandboxSpec) -> None:
        """By its facts; the host itself looks again, and at the source, when the sandbox starts."""
        if spec.limits.best_effort:
            return
        for word, wanted in (("cpu", spec.limits.cpu), ("memory", spec.limits.memory)):
            held, _, reason = self.facts.get(_LIMIT_FACTS[word], "no: it does not say that it can").partition(": ")
            if wanted and held != "yes":
                raise OpenShellError(
                    Code.PRECONDITION,
                    f"host {self.host} cannot hold a {word} limit: {reason}",
                    hint="ask for '--limits best-effort' to run without it",
                )

    async def start(self, birth: Birth) -> Mapping[str, str]:
        """Order it. Raises as `HostSession.order`."""
        self._told.add(birth.sandbox_id)
        try:
            answer = await self._order("start", _hosted(birth))
        except OpenShellError:
            self._told.discard(birth.sandbox_id)
            raise
        return shown_facts(answer.facts)

    async def adopt(self, birth: Birth) -> bool:
        """Order it. Raises as `HostSession.order`."""
        self._told.add(birth.sandbox_id)
        runs = (await self._order("adopt", _hosted(birth))).runs
        if not runs:
            self._told.discard(birth.sandbox_id)
        return runs

    async def stop(self, sandbox_id: str) -> None:
        """Order it. Raises as `HostSession.order`."""
        self._told.discard(sandbox_id)
        await self._order("stop", sandbox_id)

    async def delete(self, sandbox_id: str) -> None:
        """Order it. Raises as `HostSession.order`."""
        self._told.discard(sandbox_id)
        await self._order("delete", sandbox_id)

    async def processes(self, sandbox_id: str = "") -> list[ProcessName]:
        """On the host's machine, as it says. Raises as `HostSession.order`."""
        answer = await self._order("processes", sandbox_id)
        # Not a zygote's: it is measured by its pid, and there is another process with that pid on this machine.
        named = [one for one in answer.processes if _KINDS.get(one.kind, "zygote") != "zygote"][:PROCESSES_MAX]
        return [ProcessName(_KINDS[process.kind], process.pid, process.start_time) for process in named]

    async def close(self) -> None:
        """Nothing: its sandboxes run on."""

    def ended(self, sandbox_id: str, reason: str) -> None:
        """The host reports that a sandbox ended by itself; of one that it was not told to run: nothing."""
        if sandbox_id in self._told and self.on_exit is not None:
            self._told.discard(sandbox_id)
            self.on_exit(sandbox_id, clean(reason, REASON_MAX))

    async def _order(self, kind: str, value: ext.HostedBirth | str) -> ext.HostAnswer:
        if self.session is None:
            raise OpenShellError(
                Code.UNAVAILABLE, self.away(), hint="it goes on when the host is back; see 'openshell host list'"
            )
        return await self.session.order(kind, value)


def lost_words(host: str, since: float | None) -> str:
    """What a sandbox of a lost host shows as its reason."""
    if since is None:
        return f"{lost_mark(host)}: it is not registered"
    return f"{lost_mark(host)} since {datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%SZ}"


def lost_mark(host: str) -> str:
    """How every such reason begins."""
    return f"host {host} is not connected"


def _hosted(birth: Birth) -> ext.HostedBirth:
    return ext.HostedBirth(
        sandbox_id=birth.sandbox_id,
        name=birth.name,
        spec=sandbox_spec.to_message(birth.spec),
        token=birth.token,
        host_key=birth.host_key,
        id_base=birth.id_base,
    )

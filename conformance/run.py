"""Runs the table of checks (conformance/checks.py) in the clear and over TLS, a line for each case, and counts them.

    python -m conformance.run              every check; then each broken service, which must be noticed
    python -m conformance.run grpcurl ghz  the checks of these names alone

Exits 0 only where every case of the table was played and passed. Needs the Go programs: `make conformance` installs them.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from conformance.checks import CHECKS, MUST_FAIL, Check, Verdicts
from conformance.processes import Target, interop_server, test_service
from pyopenshell.gateway.pki import ensure_pki

#: Checks at once. Most of one is a process that waits for its server.
AT_ONCE = 3
#: Takes half a minute of silence: begins first, and takes no place.
SILENT = "grpc-go, keepalive"


class Score:
    """What was played."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def add(self, name: str, why: str) -> None:
        """One case: a line, and the count."""
        if why:
            self.failed += 1
            print(f"FAIL  {name}: {why}", flush=True)
        else:
            self.passed += 1
            print(f"ok    {name}", flush=True)


async def verdicts_of(check: Check, target: Target) -> Verdicts:
    """A verdict for each case of the table, and for what was played beside it."""
    try:
        played = await check.play(target)
    except Exception as error:  # the runner goes on to the next check
        played = {"the check itself": f"{type(error).__name__}: {error}"}
    missing = {case: "was not played" for case in check.cases if case not in played}
    foreign = {case: why or "is not in the table" for case, why in played.items() if case not in check.cases}
    return {**played, **missing, **foreign}


async def run_checks(checks: Iterable[Check], servers: dict[str, tuple[Target, ...]], score: Score) -> None:
    """Every check at every server that it is for."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(check: Check, target: Target) -> None:
        if check.name == SILENT:
            verdicts = await verdicts_of(check, target)
        else:
            async with places:
                verdicts = await verdicts_of(check, target)
        for case, why in verdicts.items():
            score.add(f"{check.name}, {target.words}: {case}", why)

    jobs = [(check, target) for check in checks for target in servers[check.server]]
    jobs.sort(key=lambda job: job[0].name != SILENT)
    async with asyncio.TaskGroup() as group:
        for check, target in jobs:
            group.create_task(one(check, target))


async def notices(broken: str, pki: Path, log: Path) -> str:
    """Whether the check that is for it notices a broken service: empty, or what it missed."""
    name, case = MUST_FAIL[broken]
    check = next(check for check in CHECKS if check.name == name)
    async with test_service(pki, log, broken) as (target, _):
        verdicts = await verdicts_of(check, target)
    return "" if verdicts[case] not in ("", "was not played") else f"{name}: {case} did not notice it"


async def main(names: list[str]) -> int:
    checks = [check for check in CHECKS if not names or check.name in names]
    if not checks:
        print("no such check; there are:", *(check.name for check in CHECKS), sep="\n  ")
        return 2
    began = time.monotonic()
    score = Score()
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        pki, log = Path(folder, "pki"), Path(folder, "service.log")
        ensure_pki(pki, owner="conformance", now=time.time(), names=("localhost", "127.0.0.1"))
        async with AsyncExitStack() as stack:
            ours = await stack.enter_async_context(test_service(pki, log))
            theirs = [await stack.enter_async_context(interop_server(where)) for where in (None, pki)]
            await run_checks(checks, {"ours": ours, "theirs": tuple(theirs)}, score)
        score.add("test service: no error of its own", errors_in(log))
        if not names:
            for broken in MUST_FAIL:
                score.add(f"noticed: {broken}", await notices(broken, pki, log))
    expected = sum(2 * len(check.cases) for check in checks) + 1 + (0 if names else len(MUST_FAIL))
    played = score.passed + score.failed
    if played != expected:
        print(f"FAIL  {played} cases were played, {expected} are in the table")
    print(f"conformance: {score.passed} of {expected} cases passed in {time.monotonic() - began:.0f} s")
    return 0 if (score.passed, score.failed) == (expected, 0) else 1


def errors_in(log: Path) -> str:
    """What the test service logged beyond connections that it cut, as h2spec asks for."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if ": cut the client " not in line]
    return " | ".join(lines)[-400:]


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))

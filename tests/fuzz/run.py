"""Fuzzes everything for a bounded time: `make fuzz SECONDS=60`, or `python -m tests.fuzz.run --seconds 60`.

Three engines share the time, two processes at once: the sweep (`sweep.py`), which runs everywhere; libFuzzer with
coverage (`guided.py`), where atheris is installed; and Hypothesis' state machines (`machines.py`). A find is written to
`tests/fuzz/found/`, with the command that shows it again, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

ROOT = Path(__file__).resolve().parents[2]
FOUND = Path(__file__).with_name("found")
#: Shares of the time, where all three run. A guided target has a start-up of a second, the sweep finds the shallow first.
SWEEP_SHARE, MACHINES_SHARE, GUIDED_SHARE = 0.35, 0.15, 0.5
#: Seconds that a process may take beyond its share before it counts as hanging: start-up, and one program's longest.
GRACE = 20
#: Seconds of the whole that are nobody's share: starts and ends of processes.
SPARE = 3.0
#: Seconds until a guided process runs its first program: libFuzzer, and the instrumentation of what it watches.
START = 1.5
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_COVERED = re.compile(r"cov: (\d+) ft: (\d+)")


@dataclass
class Row:
    """One line of the table."""

    target: str
    engine: str
    runs: int
    seconds: float
    reached: str
    finds: list[str]


@dataclass
class Job:
    """One process: an engine with its share of the time."""

    engine: str
    targets: list[str]
    seconds: float


class Run:
    """All engines once."""

    def __init__(self, seed: int, first: bool, until: float, lanes: int, planned: float) -> None:
        self.seed = seed
        self.first = first
        self.until = until
        self.lanes = lanes
        self.left = planned  # seconds of the jobs that have not begun
        self.stop = Event()
        self.begun = time.monotonic()

    def do(self, job: Job) -> list[Row]:
        """Run one job in a process of its own; its rows."""
        start = START if job.engine == "guided" else 0
        rest = self.until - time.monotonic()
        scale = min(1.0, rest * self.lanes / self.left)  # a busy machine takes a bit of every share that is left
        seconds = min(job.seconds * scale, rest) - start
        self.left -= job.seconds
        if self.stop.is_set() or seconds < 1:
            return [Row(target, job.engine, 0, 0.0, "no time was left", []) for target in job.targets]
        rows = self._guided(job, seconds) if job.engine == "guided" else self._inside(job, seconds)
        for row in rows:
            for find in row.finds:
                print(
                    f"FOUND after {time.monotonic() - self.begun:.1f} s: {row.target} ({row.engine}): {find}",
                    flush=True,
                )
        if self.first and any(row.finds for row in rows):
            self.stop.set()
        return rows

    def _inside(self, job: Job, seconds: float) -> list[Row]:
        command = [sys.executable, "-m", "tests.fuzz.run", "--inside", job.engine, "--seconds", str(seconds)]
        command += ["--seed", str(self.seed), *(["--first"] if self.first else []), *job.targets]
        status, out, err = self._process(command, seconds)
        if status:
            why = "hangs" if status is None else f"the engine itself failed: {err[-600:]}"
            return [Row(", ".join(job.targets), job.engine, 0, seconds, "", [why])]
        return [Row(**row) for row in json.loads(out.splitlines()[-1])]

    def _guided(self, job: Job, seconds: float) -> list[Row]:
        (target,) = job.targets
        FOUND.mkdir(exist_ok=True)
        before = set(FOUND.iterdir())
        command = [sys.executable, "-m", "tests.fuzz.guided", target, str(seconds), str(self.seed), str(FOUND)]
        with tempfile.TemporaryDirectory(prefix="fuzz-") as work:
            status, _, err = self._process([*command, work], seconds)
        done, covered = _DONE.findall(err), _COVERED.findall(err)
        runs, took = (int(done[-1][0]), float(done[-1][1])) if done else (0, seconds)
        reached = f"{covered[-1][0]} edges, {covered[-1][1]} features" if covered else ""
        finds = [
            shown(target, path, err) for path in sorted(set(FOUND.iterdir()) - before) if path.name.startswith(target)
        ]
        if status and not finds:
            finds = [f"the engine itself failed: {err[-600:]}"]
        return [Row(target, "guided", runs, took, reached, finds)]

    def _process(self, command: list[str], seconds: float) -> tuple[int | None, str, str]:
        """Status (None: it had to be killed), output and errors of a child, which also ends when somebody else found."""
        until = time.monotonic() + seconds + GRACE
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            while True:
                try:
                    out, err = child.communicate(timeout=0.2)
                    return child.returncode, out, err
                except subprocess.TimeoutExpired:
                    if self.stop.is_set():
                        child.kill()
                        return 0, "[]", ""
                    if time.monotonic() > until:
                        child.kill()
                        return None, "", ""


def shown(target: str, path: Path, err: str) -> str:
    """A find for a person: what, and the command that shows it again."""
    line = next((line for line in err.splitlines() if "Error" in line and not line.startswith("  ")), "")
    return f"{line.strip()[:300]}\n  again: python -m tests.fuzz.run --replay {target} {path.relative_to(ROOT)}"


def inside(engine: str, targets: list[str], seconds: float, seed: int, first: bool) -> None:
    """The child's side of `sweep` and `machines`: one line of JSON at the end."""
    if engine == "sweep":
        from tests.fuzz.sweep import sweep

        results = sweep(targets, seconds, seed, first)
    else:
        from tests.fuzz.machines import explore

        results = explore(targets, seconds, first)
    rows = []
    for target, result in results.items():
        finds = []
        for what, program in result.finds.items():
            FOUND.mkdir(exist_ok=True)
            path = FOUND / f"{target}-{hashlib.sha256(program or what.encode()).hexdigest()[:12]}"
            path.write_bytes(program or what.encode())
            again = f"python -m tests.fuzz.run --replay {target} {path.relative_to(ROOT)}"
            finds.append(f"{what}\n  again: {again}" if program else what)
        rows.append(vars(Row(target, engine, result.runs, result.seconds, "", finds)))
    print(json.dumps(rows))


def jobs(seconds: float, lanes: int, guided: bool, only: Collection[str] = ()) -> list[Job]:
    """Everything that is to be run, with its share of what all lanes have together."""
    from tests.fuzz.machines import MACHINES
    from tests.fuzz.targets import TARGETS

    names = [name for name in TARGETS if not only or name in only]
    machines = [name for name in MACHINES if name in names]
    whole = (seconds - SPARE) * lanes
    if not guided:
        share = whole * (SWEEP_SHARE + GUIDED_SHARE) / lanes
        sweeps = [Job("sweep", names[lane::lanes], share) for lane in range(lanes)]
        todo = [*sweeps, Job("machines", machines, whole * MACHINES_SHARE)]
        return [job for job in todo if job.targets]
    each = whole * GUIDED_SHARE / len(names)
    todo = [Job("sweep", names, whole * SWEEP_SHARE), Job("machines", machines, whole * MACHINES_SHARE)]
    todo += [Job("guided", [name], each) for name in names]
    return [job for job in todo if job.targets]


def table(rows: list[Row]) -> Iterator[str]:
    """The lines that a person reads."""
    yield f"{'target':10} {'engine':9} {'runs':>8} {'runs/s':>7}  {'finds':>5}  reached"
    for row in rows:
        speed = f"{row.runs / row.seconds:7.0f}" if row.seconds else "      -"
        yield f"{row.target[:10]:10} {row.engine:9} {row.runs:8} {speed}  {len(row.finds):5}  {row.reached}"


@contextmanager
def quiet_interrupt() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)


def main() -> int:
    begun = time.monotonic()
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.run", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--seconds", type=float, default=60, help="for everything together")
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers; printed")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes at once")
    parser.add_argument("--first", action="store_true", help="end with the first find")
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"), help="run one find again")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", help="these alone")
    options = parser.parse_args()
    if options.replay:
        from tests.fuzz.sweep import replay

        return replay(options.replay[0], Path(options.replay[1]).read_bytes())
    seed = random.randrange(2**31) if options.seed is None else options.seed
    if options.inside:
        inside(options.inside, options.targets, options.seconds, seed, options.first)
        return 0
    guided = importlib.util.find_spec("atheris") is not None
    print(
        f"fuzz: {options.seconds:g} s, seed {seed}, engines: sweep, machines" + (", guided (atheris)" if guided else "")
    )
    if not guided:
        print(
            "fuzz: atheris is not installed here: without coverage; it has wheels for Linux on x86-64, Python 3.11 to 3.13"
        )
    todo = jobs(options.seconds, options.jobs, guided, options.targets)
    run = Run(seed, options.first, begun + options.seconds - 1, options.jobs, sum(job.seconds for job in todo))
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = [row for rows in pool.map(run.do, todo) for row in rows]
    print(*table(rows), sep="\n")
    finds = sum(len(row.finds) for row in rows)
    print(f"fuzz: {sum(row.runs for row in rows)} programs in {time.monotonic() - begun:.0f} s, {finds} finds")
    return 1 if finds else 0


if __name__ == "__main__":
    with quiet_interrupt():
        sys.exit(main())

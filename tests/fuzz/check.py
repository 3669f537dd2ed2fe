"""Shows that the fuzzer finds defects: `make fuzz-check` applies each patch of `defects/` to a copy and fuzzes that.

A patch begins with a line `what:`, the defect that it seeds. It must apply, and `run.py` must find something within
`SECONDS`, as one process, while another patch is fuzzed beside it. `python -m tests.fuzz.check NAME...` for some of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.sabotage.run import copy_tree

DEFECTS = Path(__file__).with_name("defects")
SECONDS = 60
#: The same random numbers each time: what this shows does not change from one run to the next.
SEED = 1
BESIDE = 2
_FOUND = re.compile(r"FOUND after ([0-9.]+) s: (\S+) \((\w+)\): (.*)")


@dataclass(frozen=True)
class Outcome:
    """How it went with one patch. `seconds` is None when nothing was found."""

    name: str
    what: str
    seconds: float | None
    by: str


def what(patch: Path) -> str:
    return patch.read_text().splitlines()[0].removeprefix("what: ")


def seek(patch: Path) -> Outcome:
    """Fuzz a copy with this defect."""
    with tempfile.TemporaryDirectory(prefix="fuzz-check-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        if subprocess.run(["git", "apply", "--whitespace=nowarn", str(patch)], cwd=tree).returncode:
            return Outcome(patch.stem, what(patch), None, "the patch does not apply any more: make it anew")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(tree)])}
        command = [sys.executable, "-m", "tests.fuzz.run", "--seconds", str(SECONDS), "--seed", str(SEED)]
        run = subprocess.run(
            [*command, "--first", "--jobs", "1"], cwd=tree, env=environment, capture_output=True, text=True
        )
        found = _FOUND.search(run.stdout)
        if found is None:
            return Outcome(
                patch.stem, what(patch), None, f"nothing was found; exit {run.returncode} {run.stderr[-300:]}"
            )
        seconds, target, engine, find = found.groups()
        return Outcome(patch.stem, what(patch), float(seconds), f"{target} ({engine}): {find[:90]}")


def main(names: list[str]) -> int:
    patches = [path for path in sorted(DEFECTS.glob("*.patch")) if not names or path.stem in names]
    if not patches:
        print("no such patch", file=sys.stderr)
        return 2
    begun = time.monotonic()
    missed = 0
    with ThreadPoolExecutor(BESIDE) as pool:
        for outcome in pool.map(seek, patches):
            in_time = outcome.seconds is not None and outcome.seconds <= SECONDS
            missed += not in_time
            took = f"{outcome.seconds:5.1f} s" if in_time else "NOT FOUND"
            print(f"{took}  {outcome.name}: {outcome.what}\n         {outcome.by}", flush=True)
    print(
        f"fuzz-check: {len(patches) - missed} of {len(patches)} defects found, {time.monotonic() - begun:.0f} s in all"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

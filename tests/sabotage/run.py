"""Breaks the product on purpose, one patch at a time, and fails where the tests stay green.

A patch in this folder begins with two lines, `what:` (the defect it seeds) and `tests:` (the test paths that must notice).
Each is applied to a copy of the committed and uncommitted sources; the named tests must pass in the copy before the patch
and fail after it. Run it with `make sabotage`, or `tests/sabotage/run.py NAME...` for some of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTEST_FAILED = 1  # pytest's exit status when tests ran and some failed; any other says that nothing was proved
TIMEOUT = 30  # seconds of one test: a defect may show as a wait for ever, and nobody wants to wait with it


@dataclass(frozen=True)
class Patch:
    path: Path
    what: str
    tests: list[str]


def read(path: Path) -> Patch:
    fields = dict(line.split(": ", 1) for line in path.read_text().splitlines()[:2])
    return Patch(path, fields["what"], fields["tests"].split())


def copy_tree(into: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source = ROOT / name
        if source.exists():
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def pytest(tree: Path, tests: list[str]) -> int:
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", f"--timeout={TIMEOUT}", *tests]
    return subprocess.run(
        command, cwd=tree, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode


def noticed(patch: Patch) -> bool:
    with tempfile.TemporaryDirectory(prefix="sabotage-") as folder:
        tree = Path(folder)
        tree.chmod(0o755)  # sandboxes of other ids import from here
        copy_tree(tree)
        if pytest(tree, patch.tests) != 0:
            print(f"  the tests fail already without the patch: {' '.join(patch.tests)}")
            return False
        applied = subprocess.run(["git", "apply", "--whitespace=nowarn", str(patch.path)], cwd=tree)
        if applied.returncode:
            print("  the patch does not apply any more: make it anew")
            return False
        return pytest(tree, patch.tests) == PYTEST_FAILED


def main(names: list[str]) -> int:
    patches = [read(p) for p in sorted(HERE.glob("*.patch")) if not names or p.stem in names]
    if not patches:
        print("no such patch", file=sys.stderr)
        return 2
    green = []
    for patch in patches:
        print(f"{patch.path.stem}: {patch.what}", flush=True)
        if noticed(patch):
            print("  noticed")
        else:
            print("  NOT NOTICED")
            green.append(patch.path.stem)
    print(f"sabotage: {len(patches) - len(green)} of {len(patches)} defects noticed")
    return 1 if green else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

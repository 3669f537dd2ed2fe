"""The floors of the design, held by a test: who may import whom, how long a file may be, which test file proves it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "pyopenshell"
TESTS = ROOT / "tests"

#: Floor of each room; a file imports from its own room and from lower floors only.
FLOORS = {
    "errors": 0, "model": 0, "text": 0,
    "http2": 1, "relay": 1,
    "wire": 2, "linux": 2, "files": 2,
    "streams": 3,
    "store": 4, "audit": 4, "drivers": 4, "enrol": 4,
    "sdk": 5, "gateway": 5, "supervisor": 5, "host": 5,
    "cli": 6,
    "daemon": 7,
}  # fmt: skip
#: Beside the floors: imported by main modules (and by each other) alone.
BESIDE = {"config", "config_values", "log"}
PURE = {"http2", "relay"}
#: Modules that reach a clock, a socket, a task or a log.
IMPURE = {"asyncio", "time", "socket", "logging", "os", "threading", "select", "selectors", "subprocess", "ssl", "io"}
LINES_MAX = 250
#: Files that are over the aim, each with the reason why one file is easier to read than two.
LONGER = {"model.py": "the words that all rooms share are one page, read whole"}


def sources() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if not p.name.endswith("_pb2.py"))


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names if node.module == "pyopenshell")
    return found


def rooms_imported(path: Path) -> set[str]:
    return {n.split(".")[1] for n in imports(path) if n.startswith("pyopenshell.")}


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    mine = room(path)
    if mine == "__init__":
        assert not rooms_imported(path)
        return
    for other in rooms_imported(path) - {mine}:
        if other in BESIDE:
            assert path.stem in {"main", "context"} or mine in BESIDE, f"{path} imports {other}: only a main module may"
            continue
        if mine in BESIDE:
            assert FLOORS[other] == 0, f"{path} imports {other}"
            continue
        if FLOORS[mine] == 0:
            assert FLOORS[other] == 0, f"{path} imports {other}"  # the words are one folder
            continue
        assert FLOORS[other] < FLOORS[mine], f"{path} (floor {FLOORS[mine]}) imports {other} (floor {FLOORS[other]})"
        if mine in {"cli", "daemon"}:
            assert other in {"errors", "model", "sdk", "cli"} or FLOORS[other] <= 3, (
                f"{path}: of the rooms the doors import sdk alone"
            )


@pytest.mark.parametrize("path", [p for p in sources() if room(p) in PURE], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rules_know_no_io(path: Path) -> None:
    assert not {n.split(".")[0] for n in imports(path)} & IMPURE


@pytest.mark.parametrize(
    "path", [p for p in sources() if room(p) in {"sdk", "cli", "daemon"}], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_the_client_side_knows_no_linux(path: Path) -> None:
    assert "linux" not in rooms_imported(path)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_stay_small(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    name = str(path.relative_to(PACKAGE))
    if name in LONGER:
        assert lines > LINES_MAX, f"{name} is small again: take it out of LONGER"
    else:
        assert lines <= LINES_MAX, f"{name} has {lines} lines"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_file_opens_with_its_theory(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if path.name == "__init__.py" and not tree.body:
        return
    assert ast.get_docstring(tree), f"{path} has no docstring"


@pytest.mark.parametrize(
    "path", [p for p in sources() if p.name != "__init__.py"], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_each_file_has_its_test_file(path: Path) -> None:
    inside = path.relative_to(PACKAGE)
    assert (TESTS / inside.parent / f"test_{path.name}").exists(), f"{inside} has no test file"


def test_docs_name_files_that_exist() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert pages
    for page in pages:
        for name in re.findall(r"`((?:src|tests|docs|bench|tools)/[\w./-]+)`", page.read_text()):
            assert (ROOT / name).exists(), f"{page.relative_to(ROOT)} names {name}"


def test_no_test_sleeps() -> None:
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep":
                argument = node.args[0] if node.args else None
                zero = isinstance(argument, ast.Constant) and argument.value == 0
                assert zero, f"{path.relative_to(ROOT)}:{node.lineno} sleeps: wait for an event"

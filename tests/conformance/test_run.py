"""The runner itself: what was not played, or is in no table, is a failure; and what it says where Go is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from conformance import run
from conformance.broken import BROKEN
from conformance.checks import CHECKS, MUST_FAIL, Check, Verdicts, _told
from conformance.processes import Ran, Target

ROOT = Path(__file__).resolve().parents[2]
TARGET = Target(1, None)


def check(played: Verdicts | Exception) -> Check:
    async def play(target: Target) -> Verdicts:
        if isinstance(played, Exception):
            raise played
        return played

    return Check("c", ("one", "two"), play)


@pytest.mark.parametrize(
    ("played", "verdicts"),
    [
        ({"one": "", "two": ""}, {"one": "", "two": ""}),
        ({"one": ""}, {"one": "", "two": "was not played"}),
        ({"one": "", "two": "bad", "three": ""}, {"one": "", "two": "bad", "three": "is not in the table"}),
        (OSError("no"), {"the check itself": "OSError: no", "one": "was not played", "two": "was not played"}),
    ],
)
async def test_verdicts(played: Verdicts | Exception, verdicts: Verdicts) -> None:
    assert await run.verdicts_of(check(played), TARGET) == verdicts


async def test_every_case_is_counted_at_every_server(capsys: pytest.CaptureFixture[str]) -> None:
    score = run.Score()
    servers = {"ours": (TARGET, Target(2, Path("ca")))}
    await run.run_checks([check({"one": "", "two": "bad"}), check({"one": ""})], servers, score)
    assert (score.passed, score.failed) == (4, 4)
    assert "FAIL  c, TLS: two: bad" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("out", "status", "verdicts"),
    [
        ("ok a\nok b/c\n", 0, {"a": "", "b/c": ""}),
        ("ok a\nFAIL b: x: y\nnoise\n", 1, {"a": "", "b": "x: y"}),
        ("ok a\n", 1, {"a": "", "the program itself": "exit status 1: died |  | ok a |"}),
    ],
)
def test_what_a_program_told(out: str, status: int, verdicts: Verdicts) -> None:
    assert _told(Ran(status, out, "died\n")) == verdicts


def test_what_the_service_logs_counts_as_a_fault(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("conformance: cut the client 127.0.0.1:1: header block cannot be decoded\n")
    assert run.errors_in(log) == ""
    with log.open("a") as file:
        file.write("conformance: /x failed\n")
    assert run.errors_in(log) == "conformance: /x failed"


def test_every_broken_service_has_the_check_that_must_notice_it() -> None:
    assert BROKEN.keys() == MUST_FAIL.keys()
    known = {(check.name, case) for check in CHECKS for case in check.cases}
    assert set(MUST_FAIL.values()) <= known


@pytest.mark.parametrize(("required", "status"), [("", 0), ("required", 1)])
def test_without_go_it_says_so_and_fails_only_where_it_is_required(required: str, status: int, tmp_path: Path) -> None:
    dirname = shutil.which("dirname")  # all that the script needs before it looks for Go
    assert dirname is not None
    (tmp_path / "dirname").symlink_to(dirname)
    environment = {"PATH": str(tmp_path), "CONFORMANCE": required}
    ran = subprocess.run([ROOT / "tools" / "conformance"], env=environment, capture_output=True, text=True)
    assert ran.returncode == status
    assert ran.stdout.startswith("conformance: not run: no Go")

"""What holds for every test: a skip that `tests/skips-allowed` does not list fails the run, and nothing is left behind.

`skips-allowed` has one line for each test that a machine may not be able to run: its node id (a prefix is enough), two
spaces, and the fact of the machine that causes the skip.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

ALLOWED = Path(__file__).with_name("skips-allowed")
_skipped: list[str] = []


def allowed_prefixes() -> list[str]:
    lines = ALLOWED.read_text().splitlines()
    return [line.split("  ", 1)[0] for line in lines if line and not line.startswith("#")]


def pytest_configure() -> None:
    """Signals as a person's shell leaves them: a runner in the background may ignore some, and children inherit that."""
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    prefixes = tuple(allowed_prefixes())
    unlisted = [nodeid for nodeid in _skipped if not nodeid.startswith(prefixes)] if prefixes else _skipped
    if unlisted:
        print("\nskipped, but not listed in tests/skips-allowed:", *unlisted, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def no_descriptor_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a descriptor open in this process; `@pytest.mark.keeps_descriptors` says why one may."""
    if request.node.get_closest_marker("keeps_descriptors"):
        yield
        return
    before = open_descriptors()
    yield
    left = {fd: what for fd, what in open_descriptors().items() if fd not in before}
    assert not left, f"descriptors left open: {left}"


def open_descriptors() -> dict[int, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except OSError:  # the descriptor of the listing itself
            continue
    return found

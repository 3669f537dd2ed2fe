"""Whole commands, timed from outside: what a user waits for between Enter and the prompt.

Every command here really runs (`openshell sandbox exec`, the real `ssh` with the generated configuration); a command that
fails is counted, and its time is not used.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAYLOAD = 50 * 1024 * 1024  # bytes of a bulk row
LINES = 10_000
WARM_UP = 2  # runs that are not counted
COMMAND_TIMEOUT = 120.0  # seconds; a hung command is a failure, never a hung benchmark

LINES_SCRIPT = f'i=0; while [ $i -lt {LINES} ]; do echo "line $i"; i=$((i+1)); done'


@dataclass
class Commands:
    """How to reach the sandbox from outside: argv prefixes, and where scratch files may lie."""

    execute: Sequence[str]  # `openshell sandbox exec -n NAME --no-tty --`
    ssh: Sequence[str]  # `ssh -F CONFIG ALIAS`; empty where there is no ssh
    scratch: Path
    environ: Mapping[str, str]
    failures: int = 0
    notes: list[str] = field(default_factory=list)

    def timed(self, argv: Sequence[str], *, bytes_out: int | None = None, stdin: Path | None = None) -> float | None:
        """Seconds that one run took, or None (and a failure counted) where it failed or wrote another number of bytes."""
        with open(stdin or os.devnull, "rb") as source:
            started = time.perf_counter()
            process = subprocess.Popen(
                argv, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(self.environ)
            )
            with _ended_with_us([process]):
                try:
                    seen, message = _drain(process)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    seen, message = -1, "timed out"
            elapsed = time.perf_counter() - started
        if process.returncode != 0 or (bytes_out is not None and seen != bytes_out):
            self.failures += 1
            self.notes.append(f"{argv[0]} ended {process.returncode} after {seen} bytes: {message.strip()[-200:]}")
            return None
        return elapsed

    def repeated(self, argv: Sequence[str], times: int) -> list[float]:
        """Seconds of each run that worked, one after another, after `WARM_UP` more."""
        for _ in range(WARM_UP):
            self.timed(argv)
        return [elapsed for _ in range(times) if (elapsed := self.timed(argv)) is not None]

    def together(self, argv: Sequence[str], count: int) -> float:
        """Seconds until `count` runs started at once have all ended; what fails is counted."""
        started = time.perf_counter()
        running = [
            subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=dict(self.environ),
            )
            for _ in range(count)
        ]
        with _ended_with_us(running):
            for process in running:
                _, message = process.communicate(timeout=COMMAND_TIMEOUT)
                if process.returncode != 0:
                    self.failures += 1
                    told = message.decode(errors="replace")[-200:]
                    self.notes.append(f"{argv[0]} ended {process.returncode}: {told}")
        return time.perf_counter() - started

    def bulk(self, argv: Sequence[str], *, bytes_out: int | None = None, stdin: Path | None = None) -> float | None:
        """Megabits per second of a command that moves `PAYLOAD` bytes: the median of three runs."""
        found = sorted(
            PAYLOAD * 8 / elapsed / 1e6
            for _ in range(3)
            if (elapsed := self.timed(argv, bytes_out=bytes_out, stdin=stdin)) is not None
        )
        return found[len(found) // 2] if found else None


@contextlib.contextmanager
def _ended_with_us(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Where the body is interrupted, the processes that still run are ended too."""
    try:
        yield
    except BaseException:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        raise


def _drain(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Read standard output to its end, counting; return the count and what was said on standard error."""
    assert process.stdout is not None
    assert process.stderr is not None
    seen = 0
    buffer = bytearray(1 << 20)
    with process.stdout as out:
        while got := os.readv(out.fileno(), [buffer]):
            seen += got
    with process.stderr as errors:
        message = errors.read().decode(errors="replace")
    process.wait(timeout=COMMAND_TIMEOUT)
    return seen, message


def payload_archive(scratch: Path) -> Path:
    """A tar of one file of `PAYLOAD` random bytes, made once in `scratch`."""
    archive = scratch / "payload.tar"
    plain = scratch / "payload"
    plain.write_bytes(secrets.token_bytes(PAYLOAD))
    with tarfile.open(archive, "w") as tar:
        tar.add(plain, "payload")
    plain.unlink()
    return archive

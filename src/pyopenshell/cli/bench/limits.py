"""The same work on the bare machine: what no stack above it can beat.

A child process of this interpreter is the far end of the raw loopback figures; a private `sshd` on a loopback port, with
throw-away keys, is the bare `ssh`, where the machine has one.
"""

from __future__ import annotations

import contextlib
import getpass
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pyopenshell.cli.bench import loads
from pyopenshell.cli.bench.commands import LINES_SCRIPT, PAYLOAD, Commands
from pyopenshell.cli.bench.statistics import median

SSHD_WAIT = 10.0  # seconds; it answers within tens of milliseconds


def bare_commands(commands: Commands, iterations: int) -> dict[str, float]:
    """Figures of `/bin/true`, a shell's lines and a pipe, as whole processes on this machine."""
    true = shutil.which("true") or "/bin/true"
    figures = {}
    if samples := commands.repeated([true], iterations):
        figures["true_p50"] = median(samples)
    if (lines := commands.timed(["sh", "-c", LINES_SCRIPT])) is not None:
        figures["lines_bare"] = lines
    if (pipe := commands.bulk(["head", "-c", str(PAYLOAD), "/dev/zero"], bytes_out=PAYLOAD)) is not None:
        figures["pipe"] = pipe
    figures["parallel_true_bare"] = commands.together([true], 20)
    started = time.perf_counter()
    for _ in range(50):
        commands.timed([true])
    figures["churn_bare"] = time.perf_counter() - started
    return figures


def loopback() -> dict[str, float]:
    """Figures of raw TCP between two processes on loopback."""
    server = subprocess.Popen([sys.executable, "-I", "-c", loads.SERVER], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        with server.stdout as out:
            connect = loads.connector("127.0.0.1", int(out.readline()))
            loads.round_trips(connect)
            return {
                "loopback": loads.down(connect) / 1e6,
                "loopback_rtt": median(loads.round_trips(connect)),
                "loopback_open": median(loads.first_bytes(connect)),
            }
    finally:
        server.kill()
        server.wait()


@contextlib.contextmanager
def bare_sshd(scratch: Path) -> Iterator[list[str] | None]:
    """A private `sshd`: yields the `ssh` argv that reaches it, or None where this machine has none that starts."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
    if sshd is None or shutil.which("ssh-keygen") is None:
        yield None
        return
    folder = scratch / "sshd"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config"
    config.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nMaxStartups 100\n"
    )
    known = folder / "known"
    known.write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    server = subprocess.Popen(
        [sshd, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        argv = [
            "ssh", "-F", "none", "-i", f"{folder}/user", "-o", f"UserKnownHostsFile={known}", "-o", "IdentitiesOnly=yes",
            "-o", "BatchMode=yes", "-p", str(port), f"{getpass.getuser()}@127.0.0.1",
        ]  # fmt: skip
        yield argv if _answers(argv, server) else None
    finally:
        server.terminate()
        server.wait()


def _answers(argv: list[str], server: subprocess.Popen[bytes]) -> bool:
    """Whether a login works before `SSHD_WAIT` seconds have passed and while the server lives."""
    deadline = time.monotonic() + SSHD_WAIT
    while time.monotonic() < deadline and server.poll() is None:
        if subprocess.run([*argv, "true"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
            return True
        time.sleep(0.05)
    return False


def bare_ssh(commands: Commands, argv: list[str], iterations: int, archive: Path) -> dict[str, float]:
    """Figures of `ssh` to a local `sshd`."""
    figures = {}
    if samples := commands.repeated([*argv, "true"], iterations):
        figures["ssh_p50"] = median(samples)
    bulks = {
        "ssh_stdout_bare": commands.bulk([*argv, f"head -c {PAYLOAD} /dev/zero"], bytes_out=PAYLOAD),
        "ssh_upload_bare": commands.bulk([*argv, "cat > /dev/null"], stdin=archive),
        "ssh_download_bare": commands.bulk([*argv, f"cat {archive}"], bytes_out=archive.stat().st_size),
    }
    return figures | {key: value for key, value in bulks.items() if value is not None}

"""`make demo`: the main job on this machine, really done, in temporary directories, and nothing left behind.

An embedded local gateway is started with a lifetime pipe: when this process ends, however it ends, the kernel closes the
pipe, and gateway, sandbox and supervisor end by themselves. Each printed line was earned: a fresh random value went through
the path named and came back, and the relay beside it is the one that the gateway's audit log shows for it.
"""

from __future__ import annotations

import _signal

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import argparse
import contextlib
import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from pyopenshell.errors import OpenShellError
from pyopenshell.sdk.local_gateway import LocalGateway
from pyopenshell.sdk.paths import Paths

NAME = "demo"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
END_WAIT = 20.0  # seconds for everything to end by itself
ANSWER_WAIT = 20.0  # seconds for one answer on a loaded machine
LIBC = ctypes.CDLL(None)
OPENSHELL = [str(Path(sys.executable).with_name("openshell"))]
SERVER = """
import http.server
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
print(server.server_port, flush=True)
server.serve_forever()
"""


class DemoError(Exception):
    """A step that did not do what it should; the text says which."""


class Interrupted(BaseException):
    """A signal asks us to end. Those that follow are ignored: what is left to do must be done."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.status = 128 + number

    @classmethod
    def arrive(cls, number: int, _frame: object) -> None:
        ignore_interrupts()
        raise cls(number)


def ignore_interrupts() -> None:
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)


def _end_with_us() -> None:
    """In a child before its exec: SIGTERM when we are gone, so that our SIGKILL leaves no command behind (prctl(2))."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _end_with_us_alone() -> None:
    """Also deaf to the terminal's Ctrl-C, which is ours to hear: we end it by SIGTERM, and it says nothing."""
    _end_with_us()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Demo:
    """One run in `base`, with the environment that keeps everything in there."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("OPENSHELL_")} | {
            "XDG_CONFIG_HOME": str(base / "config"),
            "XDG_STATE_HOME": str(base / "state"),
            "XDG_RUNTIME_DIR": str(base / "run"),
            "TMPDIR": str(base / "tmp"),
        }
        (base / "tmp").mkdir()
        self.gateway = LocalGateway(Paths.of(self.environ), NAME)
        self._audited = 0

    def openshell(self, *arguments: str) -> str:
        """Standard output of one command; raises DemoError with what it said on standard error."""
        return self.output([*OPENSHELL, *arguments])

    def output(self, argv: list[str]) -> str:
        with self.started(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            out, errors = process.communicate()
        if process.returncode != 0:
            raise DemoError(f"{' '.join(argv[:4])} ended with {process.returncode}: {errors.strip()}")
        return str(out)

    @contextlib.contextmanager
    def started(
        self, argv: list[str], stdout: int | None = None, stderr: int | None = None, *, hears: bool = False
    ) -> Iterator[subprocess.Popen[str]]:
        """A command that is asked to end with the body, where it has not ended. One that `hears` cleans up by itself."""
        process = subprocess.Popen(
            argv,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
            preexec_fn=_end_with_us if hears else _end_with_us_alone,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=END_WAIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def proved(self, mark: str, value: str, answer: str, target: str) -> None:
        """Print `mark` with the relay that carried `value`; raise where it did not come back or no relay is on record."""
        if answer.strip() != value:
            raise DemoError(f"{mark}: sent {value!r}, got {answer.strip()!r}")
        relay = self.relay_of(target)
        print(f"{mark}  relay={relay['relay']} sandbox={relay['sandbox']} target={relay['target']}", flush=True)

    def relay_of(self, target: str) -> dict[str, str]:
        """The newest relay to `target` that the audit log shows opened since the last call."""
        deadline = time.monotonic() + ANSWER_WAIT
        while time.monotonic() < deadline:
            lines = (self.gateway.state / "audit.jsonl").read_text().splitlines()
            for line in reversed(lines[self._audited :]):
                event = json.loads(line)
                opened = event["type_name"] == "Network Activity: Open"
                if opened and event["dst_endpoint"].get("svc_name", "").startswith(target):
                    self._audited = len(lines)
                    end = event["dst_endpoint"]
                    return {"relay": event["connection_info"]["uid"], "sandbox": end["uid"], "target": end["svc_name"]}
            time.sleep(0.02)
        raise DemoError(f"the audit log shows no relay to {target}")

    @contextlib.contextmanager
    def background(self, *arguments: str) -> Iterator[str]:
        """A command that goes on while the body runs; yields the first line that it prints."""
        with self.started([*OPENSHELL, *arguments], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            first = process.stdout.readline().strip()
            if not first:
                raise DemoError(f"{' '.join(arguments[:2])} ended with {process.wait()} before it was ready")
            yield first

    def run(self, *, bench: bool) -> None:
        """The main job, step by step."""
        self.openshell("sandbox", "create", NAME)
        value = f"os88-{secrets.token_hex(16)}"
        self.proved("os88-exec-ok", value, self.openshell("sandbox", "exec", "-n", NAME, "--", "echo", value), "exec")
        config = self.base / "ssh_config"
        config.write_text(self.openshell("sandbox", "ssh-config", NAME))
        alias = next(line.split()[1] for line in config.read_text().splitlines() if line.startswith("Host "))
        value = f"os88-{secrets.token_hex(16)}"
        ssh = ["ssh", "-F", str(config), "-o", "BatchMode=yes", alias, f"echo {value}"]
        self.proved("os88-ssh-ok", value, self.output(ssh), "ssh")
        self.service()
        if not bench:
            return
        print(flush=True)
        with self.started([*OPENSHELL, "bench", NAME], hears=True) as process:
            if process.wait() != 0:
                raise DemoError(f"the benchmark ended with {process.returncode}")

    def service(self) -> None:
        """An HTTP server inside, a fresh file behind it, fetched through a forward."""
        value = f"os88-{secrets.token_hex(16)}"
        name = secrets.token_hex(8)
        self.openshell("sandbox", "exec", "-n", NAME, "--", "sh", "-c", f"echo {value} > /sandbox/{name}")
        serve = (
            "sandbox",
            "exec",
            "-n",
            NAME,
            "--no-tty",
            "--workdir",
            "/sandbox",
            "--",
            "python3",
            "-u",
            "-c",
            SERVER,
        )
        with self.background(*serve) as port:
            forward = ("forward", "service", NAME, "--target-port", port, "--local", "127.0.0.1:0")
            with self.background(*forward) as line:
                _, address, *_ = line.split()  # forwarding ADDRESS to ...
                url = f"http://{address}/{name}"
                with urllib.request.urlopen(url, timeout=ANSWER_WAIT) as answer:
                    self.proved("os88-service-ok", value, answer.read().decode(), "tcp")


def nothing_left() -> list[str]:
    """Wait until every process that came from this one has ended; what would not end is killed and named."""
    deadline = time.monotonic() + END_WAIT
    stubborn = []
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return stubborn
        if pid == 0:
            if time.monotonic() > deadline:
                stubborn += [f"process {pid} ({kill(pid)})" for pid in children()]
            time.sleep(0.01)


def children() -> list[int]:
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in found.split()]


def kill(pid: int) -> str:
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    os.kill(pid, signal.SIGKILL)
    return name


def say(text: str) -> None:
    """Tell on standard error, which may be a terminal that is gone."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description="The main job on this machine, really done.")
    parser.add_argument("--no-bench", dest="bench", action="store_false", help="leave the benchmark at the end out")
    options = parser.parse_args()
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # whatever is orphaned below comes back to be counted
    base = Path()
    with contextlib.ExitStack() as stack:
        status = 1
        stubborn: list[str] = []
        lifetime, lifetime_far = os.pipe()
        try:
            try:
                for number in INTERRUPTS:
                    if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup(1)
                        signal.signal(number, Interrupted.arrive)
                base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="openshell-demo-")))
                demo = Demo(base)
                demo.gateway.start(demo.environ, lifetime=lifetime)
                demo.run(bench=options.bench)
                status = 0
            except (DemoError, OpenShellError) as error:
                say(f"demo: {error}")
            finally:
                ignore_interrupts()
        except Interrupted as interrupted:  # also one that came between the steps above; from here on none comes
            say(f"demo: {interrupted}")
            status = interrupted.status
        finally:
            os.close(lifetime)
            os.close(lifetime_far)
            stubborn = nothing_left()
    if base.name and base.name in Path("/proc/self/mountinfo").read_text():
        stubborn.append("a mount")
    if stubborn:
        say(f"demo: left behind: {', '.join(stubborn)}")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

"""The files of one sandbox on the host, and who may reach them.

sandboxes/ID/            0711, the gateway's: the sandbox's ids must be able to pass through
    run/                 0700, the supervisor's: init.sock, init.lock, supervisor.lock
    workspace/ layer/    made by `linux.birth` for the sandbox's ids: what survives stop and start
    image/               a tree unpacked from an image or copied from a directory, where the sandbox has one
    init.log supervisor.log   0600, the gateway's; both processes get them as open descriptors
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import layers
from pyopenshell.linux.ids import Ids, Shape
from pyopenshell.model import SandboxSpec, is_id

_LAST_WORDS_MAX = 4096


@dataclass(frozen=True, slots=True)
class SandboxFiles:
    """Paths of one sandbox; made from its id alone, which must be a UUID so that it cannot lead out of the folder."""

    directory: Path

    @classmethod
    def of(cls, sandboxes: Path, sandbox_id: str) -> SandboxFiles:
        """Raises INVALID where `sandbox_id` is no UUID in canonical form."""
        if not is_id(sandbox_id):
            raise OpenShellError(Code.INVALID, f"sandbox id {sandbox_id[:80]!r} is not valid")
        return cls(sandboxes / sandbox_id)

    @property
    def run(self) -> Path:
        """What the supervisor may reach."""
        return self.directory / "run"

    @property
    def image(self) -> Path:
        """The sandbox's own tree, unpacked from an image or copied, where it has one."""
        return self.directory / "image"

    def tree(self, source: str) -> str:
        """The directory that the view of a sandbox with this source is made of; "" is the host's view."""
        return str(self.image) if self.image.exists() else source.partition(":")[2]

    @property
    def init_lock(self) -> Path:
        """Locked by a living init."""
        return self.run / "init.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Locked by a living supervisor."""
        return self.run / "supervisor.lock"

    def make(self, ids: Ids) -> None:
        """Make the directories that the driver owns; those that exist stay. Raises OSError."""
        self.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.directory.chmod(0o711)  # passed through by the sandbox's ids, listed by nobody else
        self.run.mkdir(mode=0o700, exist_ok=True)
        self.run.chmod(0o700)
        if ids.shape is Shape.RANGE:
            os.chown(self.run, ids.supervisor, ids.supervisor)

    def open_log(self, name: str) -> int:
        """The log of `init` or `supervisor`, for appending; a descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(self.directory / f"{name}.log", flags, 0o600)

    def log_size(self, name: str) -> int:
        """Bytes in a log now; what a process says from now on stands behind them."""
        try:
            return (self.directory / f"{name}.log").stat().st_size
        except OSError:
            return 0

    def last_words(self, name: str, since: int = 0) -> str:
        """The last line of a log behind `since` bytes, without control characters; "" where there is none."""
        try:
            with (self.directory / f"{name}.log").open("rb") as log:
                log.seek(max(since, log.seek(0, os.SEEK_END) - _LAST_WORDS_MAX))
                lines = log.read(_LAST_WORDS_MAX).decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return "".join(char for char in lines[-1] if char.isprintable()) if lines else ""


def check_source(spec: SandboxSpec) -> tuple[str, str]:
    """The kind and path of a spec's source: "" for none, "dir" for a tree, "image" for a tar file or an OCI layout.

    Raises INVALID, NOT_FOUND for one that cannot be used.
    """
    if not spec.source:
        return "", ""
    kind, _, path = spec.source.partition(":")
    if kind not in ("dir", "tar") or not path.startswith("/") or "\0" in path:
        raise OpenShellError(
            Code.INVALID,
            f"source {spec.source[:80]!r} is not valid",
            hint="use dir:/absolute/path or tar:/absolute/path",
        )
    try:
        mode = Path(path).stat().st_mode
        layout = stat.S_ISDIR(mode) and _is_layout(path)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise OpenShellError(Code.NOT_FOUND, f"source {path[:200]!r}: {reason}") from error
    if layout or (kind == "tar" and stat.S_ISREG(mode)):
        return "image", path
    if kind == "tar":
        raise OpenShellError(Code.INVALID, f"source {path[:200]!r} is neither an archive nor an OCI layout")
    if not stat.S_ISDIR(mode):
        raise OpenShellError(Code.INVALID, f"source {path[:200]!r} is not a directory", hint="use tar: for an archive")
    return kind, path


def _is_layout(path: str) -> bool:
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return layers.is_layout(layers.Directory(fd))
    finally:
        os.close(fd)

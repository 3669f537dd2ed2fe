"""The sandbox that is meant where none is named: the one last used, remembered for each gateway.

Losing this file loses a convenience and nothing else, so a file that cannot be read counts as empty.
"""

from __future__ import annotations

import json

from pyopenshell.errors import OpenShellError
from pyopenshell.files import read_small, write_private
from pyopenshell.sdk.paths import Paths


class LastUsed:
    """One small JSON object, gateway name to sandbox name."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.state / "last_used.json"

    def get(self, gateway: str) -> str:
        """The name, or empty."""
        return self._read().get(gateway, "")

    def set(self, gateway: str, sandbox: str) -> None:
        """Remember `sandbox`; where the disk refuses, the caller's real work goes on."""
        names = self._read()
        if names.get(gateway) == sandbox:
            return
        names[gateway] = sandbox
        self._write(names)

    def forget(self, gateway: str, sandbox: str) -> None:
        """Called when `sandbox` was deleted."""
        names = self._read()
        if names.get(gateway) == sandbox:
            del names[gateway]
            self._write(names)

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(read_small(self._path) or b"{}")
        except (ValueError, OpenShellError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: value for key, value in found.items() if isinstance(value, str)}

    def _write(self, names: dict[str, str]) -> None:
        try:
            write_private(self._path, json.dumps(names).encode())
        except OpenShellError:
            pass  # a read-only home directory must not fail a command that worked

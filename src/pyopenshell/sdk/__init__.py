"""The SDK: everything a program can do with a gateway, asyncio first.

    from pyopenshell.sdk import Client, ExecSpec

- `client`      `Client`, the front door; its page shows how it is used.
- `sandboxes`, `tokens`, `sessions`   what a gateway keeps.   `exec`, `forward`, `relays`   bytes into a sandbox.
- `gateways`, `local_gateway`   the gateways known here, and a local one as a background process.
- `paths`, `files`, `last_used`, `ssh_files`, `processes`, `port_holder`   what lies on this machine.

Names are imported when they are first used: a program that only reads the registry loads no TLS and no protobuf.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyopenshell.errors import Code, OpenShellError
    from pyopenshell.model import ExecSpec, Limits, Phase, SandboxSpec, SshTarget, TcpTarget, TerminalSize
    from pyopenshell.sdk.client import Client
    from pyopenshell.sdk.exec import Completed, Execution, ExitStatus, Output
    from pyopenshell.sdk.forward import Closed, Forward
    from pyopenshell.sdk.gateways import Endpoint, Gateway, Registry
    from pyopenshell.sdk.local_gateway import LocalGateway
    from pyopenshell.sdk.paths import Paths
    from pyopenshell.sdk.types import GatewayInfo, LogLine, PlatformEvent, Sandbox, Token, User, WatchWarning

_HOME = {
    "pyopenshell.errors": ("Code", "OpenShellError"),
    "pyopenshell.model": ("ExecSpec", "Limits", "Phase", "SandboxSpec", "SshTarget", "TcpTarget", "TerminalSize"),
    "pyopenshell.sdk.client": ("Client",),
    "pyopenshell.sdk.exec": ("Completed", "Execution", "ExitStatus", "Output"),
    "pyopenshell.sdk.forward": ("Closed", "Forward"),
    "pyopenshell.sdk.gateways": ("Endpoint", "Gateway", "Registry"),
    "pyopenshell.sdk.local_gateway": ("LocalGateway",),
    "pyopenshell.sdk.paths": ("Paths",),
    "pyopenshell.sdk.types": ("GatewayInfo", "LogLine", "PlatformEvent", "Sandbox", "Token", "User", "WatchWarning"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Client",
    "Closed",
    "Code",
    "Completed",
    "Endpoint",
    "ExecSpec",
    "Execution",
    "ExitStatus",
    "Forward",
    "Gateway",
    "GatewayInfo",
    "Limits",
    "LocalGateway",
    "LogLine",
    "OpenShellError",
    "Output",
    "Paths",
    "Phase",
    "PlatformEvent",
    "Registry",
    "Sandbox",
    "SandboxSpec",
    "SshTarget",
    "TcpTarget",
    "TerminalSize",
    "Token",
    "User",
    "WatchWarning",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)

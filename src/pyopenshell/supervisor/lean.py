"""The zygote's first module: says what will never be imported in it, before anything else is, and then starts it.

What a zygote imports is in the memory of every sandbox. Some of it nobody needs: TLS (a supervisor dials a Unix socket; one
whose gateway is on another machine loads it for itself), OpenSSL a second time behind `hashlib` (the cryptography library
brings its own), certificates, UMAC, scp and the line editor of asyncssh (X.509 keys are not spoken, only AEAD ciphers are,
and the rest are commands inside), the pure Python half of protobuf, and Python's own syntax trees.

    ABSENT   their importers go on without them: `None` in `sys.modules` is an ImportError (the import system, 5.3.1)
    EMPTY    their importers want names of them, which nobody uses: `object` stands for each
    ALIASES  another module has the names

Docstrings stay on the disk where the set-up made bytecode without them (`compileall -o 2`: 1700 KiB less); elsewhere, as
where pip installed this, they are loaded.

`tests/supervisor/test_lean.py` holds that this is still so, with the libraries of the lock file.
"""

from __future__ import annotations

import importlib
import importlib._bootstrap_external as finding  # importlib.util has a name of its own for what is wanted of it
import os
import sys
import types
import typing

#: Measured with each alone left in, in KiB of one process: ssl 760, _hashlib 500, x509 1000, umac 850.
ABSENT = ("ssl", "_hashlib", "asyncssh.crypto.x509", "asyncssh.crypto.umac")
#: python_message 1300, ast 460 (inspect reads the signatures of builtin functions with it), scp 450 (argparse comes with
#: it), editor 90 (for servers that are their own shell).
EMPTY = {
    "google.protobuf.internal.python_message": (),
    "ast": ("NodeVisitor",),
    "asyncssh.scp": ("scp", "run_scp_server"),
    "asyncssh.editor": ("SSHLineEditorChannel", "SSHLineEditorSession"),
}
#: asyncssh takes one name from it, which the standard library has since 3.11: 400.
ALIASES = {"typing_extensions": typing}


def leave_out() -> None:
    """From now on this process never imports what nobody uses in it. To be called before anything else is imported."""
    for name in ABSENT:
        sys.modules[name] = None  # type: ignore[assignment]
    for name, wanted in EMPTY.items():
        empty = sys.modules[name] = types.ModuleType(name, "Left out: see pyopenshell.supervisor.lean.")
        for each in wanted:
            setattr(empty, each, object)
    sys.modules.update(ALIASES)


def let_tls_in() -> None:
    """Load TLS after all, in the one kind of child that needs it: a supervisor whose gateway is on another machine.

    asyncio found none when it was imported, so its modules that looked for it look again.
    """
    if sys.modules.get("ssl", types) is not None:
        return
    del sys.modules["ssl"]
    import ssl
    from asyncio import base_events, selector_events, sslproto

    base_events.ssl = selector_events.ssl = ssl  # type: ignore[attr-defined]
    importlib.reload(sslproto)


def prefer_bytecode_without_docstrings() -> None:
    """From now on modules are loaded from their `.opt-2.pyc` (PEP 488) where there is one."""
    plain = finding.cache_from_source

    def best(path: str) -> str:
        stripped = plain(path, optimization=2)
        return stripped if os.access(stripped, os.R_OK) else plain(path)

    finding.cache_from_source = best  # type: ignore[assignment]


def main() -> int:
    """Run as `python -m pyopenshell.supervisor.lean`, by the driver alone."""
    leave_out()
    prefer_bytecode_without_docstrings()
    from pyopenshell.supervisor import zygote

    return zygote.main()


if __name__ == "__main__":
    sys.exit(main())

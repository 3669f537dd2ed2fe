"""After sealing, nothing is loaded: no module, no library, no source file, whatever lies in the way."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import traceback

from pyopenshell.linux import sealing

from .conftest import Box, in_child


def mapped() -> set[tuple[str, str]]:
    """Files that are mapped into this process, by device and inode."""
    with open("/proc/self/maps") as maps:
        fields = [line.split() for line in maps]
    return {(field[3], field[4]) for field in fields if field[4] != "0"}


def test_an_import_is_refused_by_name() -> None:
    def sealed() -> list[object]:
        sealing.seal_imports()
        try:
            import antigravity  # noqa: F401
        except ImportError as failure:
            return [str(failure), failure.name, sys.path]
        return []

    assert in_child(sealed) == ["'antigravity' was not imported before the sandbox was entered", "antigravity", []]


def test_a_traceback_reads_no_source() -> None:
    def sealed() -> str:
        sealing.seal_imports()
        try:
            raise ValueError("x")
        except ValueError:
            return traceback.format_exc()

    text = in_child(sealed)
    assert 'ValueError("x")' not in text  # the line of source
    assert "ValueError: x" in text


def use_everything() -> None:
    """What loads late in a Python that was not warmed: codecs, the end of a thread, time, addresses, errors."""
    for name in ("idna", "ascii", "latin-1", "utf-16", "unicode_escape"):
        "abc".encode(name)
    b"\xff".decode("utf-8", "surrogateescape").encode("utf-8", "surrogateescape")
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    time.localtime()
    time.strftime("%Y %Z")
    socket.getaddrinfo("127.0.0.1", 80, flags=socket.AI_NUMERICHOST)
    with socket.socket() as plain:
        plain.connect_ex(("127.0.0.1", 9))
    os.strerror(5)
    try:
        raise OSError(5, "x")
    except OSError:
        traceback.format_exc()


def test_a_warm_process_maps_no_file_and_loads_no_module_inside(box: Box) -> None:
    def inside() -> tuple[list[str], int]:
        modules, files = set(sys.modules), mapped()
        use_everything()
        return sorted(set(sys.modules) - modules), len(mapped() - files)

    assert box.run_from_outside("true", inside) == "([], 0)"


def test_warm_may_be_called_again() -> None:
    sealing.warm()
    before = set(sys.modules)
    sealing.warm()
    assert set(sys.modules) == before

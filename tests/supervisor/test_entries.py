"""What the zygote imports: everything, and no thread stays."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

from pyopenshell.drivers.orders import OrderKind
from pyopenshell.drivers.zygote import _ENVIRONMENT
from pyopenshell.supervisor.entries import ENTRIES, load, settle_memory

#: A thread that was joined may be listed for a moment more.
LOADED = """
import json, os
from pyopenshell.supervisor.entries import load
entries = load()
for _ in range(10_000):
    if len(os.listdir("/proc/self/task")) == 1:
        break
    os.sched_yield()
print(json.dumps([sorted(kind.name for kind in entries), len(os.listdir("/proc/self/task"))]))
"""


def test_everything_is_loaded_and_there_is_one_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60, env=_ENVIRONMENT
    )
    assert json.loads(done.stdout) == [["INIT", "SSH", "SUPERVISOR", "TASK"], 1]
    assert set(ENTRIES) == set(OrderKind) - {OrderKind.ADMIT}
    assert load({}) == {}


def test_what_was_imported_is_frozen() -> None:
    before = gc.get_freeze_count()
    try:
        settle_memory()
        assert gc.get_freeze_count() > before
        assert not sys.path_importer_cache
    finally:
        gc.unfreeze()

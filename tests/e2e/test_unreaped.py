"""A machine whose process 1 reaps nobody: whatever of ours is killed in the middle, each sandbox can be deleted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a pid namespace in its own user namespace")
@pytest.mark.parametrize(
    "victims",
    [
        ("gateway",),
        ("zygote",),
        ("supervisor",),
        ("init",),
        ("gateway", "zygote", "supervisor"),
    ],
    ids=" ".join,
)
def test_a_sandbox_can_be_deleted(victims: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "tests.e2e.unreaped", *victims], capture_output=True, timeout=110
    )
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")

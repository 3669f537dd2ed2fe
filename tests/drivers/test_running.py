"""Making and ending is proved by test_local.py; here is what the kernel may do on the way."""

from __future__ import annotations

import errno
from typing import Any, cast

import pytest

from pyopenshell.drivers import running
from pyopenshell.drivers.running import remove_group


class Group:
    def __init__(self, *failures: int) -> None:
        self.failures = list(failures)
        self.asked = 0

    def remove(self) -> None:
        self.asked += 1
        if self.failures:
            raise OSError(self.failures.pop(0), "no")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "GROUP_PAUSE", 0)


async def test_a_busy_cgroup_is_removed_in_a_moment() -> None:
    group = Group(errno.EBUSY, errno.EBUSY)
    await remove_group(cast(Any, group))
    assert group.asked == 3


async def test_a_cgroup_that_stays_busy_is_an_error() -> None:
    group = Group(*[errno.EBUSY] * (running.GROUP_ATTEMPTS + 1))
    with pytest.raises(OSError, match="no"):
        await remove_group(cast(Any, group))


async def test_another_error_is_told_at_once() -> None:
    group = Group(errno.EPERM)
    with pytest.raises(PermissionError):
        await remove_group(cast(Any, group))
    assert group.asked == 1

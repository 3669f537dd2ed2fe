"""Which ids exist inside a sandbox, and what they are on the host: the three shapes of isolation.

- `range`: the gateway is root, and all ids of the machine exist for it: not in a rootless container or under
`unshare -r`, where only a few do. 65,536 host ids from `base` are the sandbox's 0..65535; the next host id is its
supervisor's alone.
- `subrange`: an ordinary user with newuidmap(1) and an /etc/subuid entry. Root inside is the user, all other ids are
from the entry.
- `single`: an ordinary user otherwise, also one who is called root in a user namespace. Only `sandbox` exists; it is the
user. The machine's own root is never given to a sandbox so.

In the first two, init is root inside and no process of the sandbox has its id. What could be is said here; whether the
machine lets it be, `shapes.py` finds out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import passwd

RANGE_SIZE = (
    65_536  # ids of one sandbox: all of 16 bits, as useradd(8) gives to one user (SUB_UID_COUNT of login.defs(5))
)
RANGE_TAKEN = RANGE_SIZE + 1  # and one more for its supervisor, which is not mapped inside
RANGE_FIRST = (
    0x0008_0000  # free part of the host's ids, between users and the container ranges of systemd (uid ranges document)
)
RANGE_LAST = 0x6FFF_FFFF
SANDBOX_ID = 1000  # first id of a person on Debian and most images (FIRST_UID of adduser.conf(5))
ID_COUNT = 0xFFFF_FFFF  # ids that the machine's own user namespace has: all but (uid_t)-1
TTY_GID = 5  # the group `tty`, which devpts gives terminals to


class Shape(StrEnum):
    """How many ids a sandbox has; the word that `sandbox get` shows."""

    RANGE = "range"
    SUBRANGE = "subrange"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Extent:
    """One line of uid_map (user_namespaces(7)): `count` ids from `inside` are the host's from `outside`."""

    inside: int
    outside: int
    count: int


@dataclass(frozen=True, slots=True)
class Ids:
    """The id maps of one sandbox. `sandbox_uid` and `sandbox_gid` are inside ids; `supervisor` is a host id, -1 for
    none.
    """

    shape: Shape
    uids: tuple[Extent, ...]
    gids: tuple[Extent, ...]
    sandbox_uid: int = SANDBOX_ID
    sandbox_gid: int = SANDBOX_ID
    supervisor: int = -1

    @property
    def init_uid(self) -> int:
        """The id of init inside: root where there is one."""
        return self.sandbox_uid if self.shape is Shape.SINGLE else 0

    @property
    def init_gid(self) -> int:
        """The group of init inside: root where there is one."""
        return self.sandbox_gid if self.shape is Shape.SINGLE else 0

    @property
    def many(self) -> bool:
        """Whether more than one id exists inside, so that setgroups(2) and chown(2) to another id are possible."""
        return self.shape is not Shape.SINGLE

    def with_sandbox(self, uid: int, gid: int) -> Ids:
        """These ids with another id for the user `sandbox`, as an image has it. Raises INVALID where it is not mapped."""
        if self.shape is Shape.SINGLE:
            uids, gids = (replace(self.uids[0], inside=uid),), (replace(self.gids[0], inside=gid),)
            return replace(self, uids=uids, gids=gids, sandbox_uid=uid, sandbox_gid=gid)
        made = replace(self, sandbox_uid=uid, sandbox_gid=gid)
        made.host_uid(uid)
        made.host_gid(gid)
        return made

    def host_uid(self, inside: int) -> int:
        """The host's id of user `inside`; raises INVALID where it is not mapped."""
        return _outside(self.uids, inside)

    def host_gid(self, inside: int) -> int:
        """The host's id of group `inside`; raises INVALID where it is not mapped."""
        return _outside(self.gids, inside)


def _outside(extents: Sequence[Extent], inside: int) -> int:
    for extent in extents:
        if 0 <= inside - extent.inside < extent.count:
            return extent.outside + inside - extent.inside
    raise OpenShellError(Code.INVALID, f"id {inside} does not exist in the sandbox")


def range_ids(base: int, sandbox_uid: int = SANDBOX_ID, sandbox_gid: int = SANDBOX_ID) -> Ids:
    """Shape `range` on the host ids base..base+65536 (the last one is the supervisor's)."""
    extents = (Extent(0, base, RANGE_SIZE),)
    return Ids(Shape.RANGE, extents, extents, sandbox_uid, sandbox_gid, base + RANGE_SIZE)


def single_ids(sandbox_uid: int = SANDBOX_ID, sandbox_gid: int = SANDBOX_ID) -> Ids:
    """Shape `single` for the effective user of this process."""
    return Ids(
        Shape.SINGLE,
        (Extent(sandbox_uid, os.geteuid(), 1),),
        (Extent(sandbox_gid, os.getegid(), 1),),
        sandbox_uid,
        sandbox_gid,
    )


def subrange_ids(sandbox_uid: int = SANDBOX_ID, sandbox_gid: int = SANDBOX_ID, etc: Path = Path("/etc")) -> Ids | None:
    """Shape `subrange` for the effective user; None where newuidmap(1) or an entry in subuid(5) and subgid(5) is
    missing.
    """
    if not (shutil.which("newuidmap") and shutil.which("newgidmap")):
        return None
    names = {str(os.geteuid())} | {user.name for user in passwd.read_users(etc / "passwd") if user.uid == os.geteuid()}
    uid = passwd.read_subordinate(etc / "subuid", names)
    gid = passwd.read_subordinate(etc / "subgid", names)
    if uid is None or gid is None or uid[1] < sandbox_uid or gid[1] < sandbox_gid:
        return None
    return Ids(
        Shape.SUBRANGE,
        (Extent(0, os.geteuid(), 1), Extent(1, uid[0], min(uid[1], RANGE_SIZE - 1))),
        (Extent(0, os.getegid(), 1), Extent(1, gid[0], min(gid[1], RANGE_SIZE - 1))),
        sandbox_uid,
        sandbox_gid,
    )


def candidates(base: int, proc: Path = Path("/proc/self")) -> tuple[Ids, ...]:
    """What the effective user of this process could make, best first; `base` counts only for a range.

    Never empty: root of the machine has `range` at least, and learns in time why it cannot be made.
    """
    found: list[Ids] = []
    maps = read_map(proc / "uid_map"), read_map(proc / "gid_map")
    machine = all(Extent(0, 0, ID_COUNT) in extents for extents in maps)
    if os.geteuid() == 0 and all(_covers(extents, RANGE_FIRST, RANGE_LAST) for extents in maps):
        found.append(range_ids(base))
    if (subrange := subrange_ids()) is not None:
        found.append(subrange)
    if os.geteuid() != 0 or not machine:
        found.append(single_ids())
    return tuple(found)


def ids_of_process(pid: int, proc: Path = Path("/proc")) -> Ids:
    """The ids of the sandbox whose init is process `pid`, as the kernel has them. Raises OSError where it is gone."""
    uids, gids = read_map(proc / str(pid) / "uid_map"), read_map(proc / str(pid) / "gid_map")
    if len(uids) == 1 and uids[0].count == RANGE_SIZE:
        return Ids(Shape.RANGE, uids, gids, supervisor=uids[0].outside + RANGE_SIZE)
    if len(uids) == 1 and uids[0].count == 1:
        return Ids(Shape.SINGLE, uids, gids, uids[0].inside, gids[0].inside)
    return Ids(Shape.SUBRANGE, uids, gids)


def read_map(path: Path) -> tuple[Extent, ...]:
    """A uid_map or gid_map file. Raises OSError."""
    lines = path.read_text("ascii").splitlines()
    return tuple(Extent(*(int(number) for number in line.split())) for line in lines)


def _covers(extents: Sequence[Extent], first: int, last: int) -> bool:
    """Whether one extent has all ids from `first` to `last`: the kernel joins none that lie side by side."""
    return any(extent.inside <= first and last < extent.inside + extent.count for extent in extents)

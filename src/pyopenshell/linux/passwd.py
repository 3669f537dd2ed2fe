"""Text of passwd(5), group(5) and subuid(5), read without the name service: an image's libnss is never loaded.

The text may be an image's, so it is hostile: at most 1 MiB is read, a link at the end of the path or anything but a
regular file is refused, and a
line that does not parse is skipped as glibc does.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

TEXT_MAX = 1024 * 1024  # bytes of a passwd file that are looked at: some ten thousand users
_ID_MAX = 2**32 - 2  # (uid_t)-1 means "no change" to setresuid(2)


@dataclass(frozen=True, slots=True)
class User:
    """One line of passwd(5)."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


def parse_users(text: str) -> list[User]:
    """The users of a passwd(5) text, in its order; lines that do not parse are skipped."""
    users = []
    for line in text.split("\n"):
        fields = line.split(":")
        if len(fields) != 7 or not fields[0]:
            continue
        uid, gid = _id(fields[2]), _id(fields[3])
        if uid is not None and gid is not None:
            users.append(User(fields[0], uid, gid, fields[5] or "/", fields[6] or "/bin/sh"))
    return users


def parse_groups(text: str) -> dict[str, int]:
    """Group names and ids of a group(5) text; the first line of a name counts, lines that do not parse are skipped."""
    groups: dict[str, int] = {}
    for line in text.split("\n"):
        fields = line.split(":")
        gid = _id(fields[2]) if len(fields) == 4 and fields[0] else None
        if gid is not None:
            groups.setdefault(fields[0], gid)
    return groups


def read_users(path: Path | str = "/etc/passwd") -> list[User]:
    """The users of the file; none where it is missing or no regular file."""
    return parse_users(read_text(path))


def find_user(users: list[User], name: str) -> User | None:
    """The user called `name`, or the first whose id it spells, or None."""
    for user in users:
        if user.name == name:
            return user
    number = _id(name)
    return next((user for user in users if user.uid == number), None)


def read_subordinate(path: Path, names: Collection[str]) -> tuple[int, int] | None:
    """First id and count of the largest entry for one of `names` in a subuid(5) file; None where there is none."""
    entries = [(first, count) for name, first, count in _subordinates(path) if name in names]
    return max(entries, key=lambda entry: entry[1], default=None)


def subordinate_ranges(etc: Path = Path("/etc")) -> list[tuple[int, int]]:
    """First id and count of everybody's entries in subuid(5) and subgid(5): ids that are given away on this machine."""
    return [(first, count) for file in ("subuid", "subgid") for _, first, count in _subordinates(etc / file)]


def _subordinates(path: Path) -> Iterator[tuple[str, int, int]]:
    for line in read_text(path).split("\n"):
        fields = line.split(":")
        if len(fields) == 3:
            first, count = _id(fields[1]), _id(fields[2])
            if first is not None and count is not None:
                yield fields[0], first, count


def read_text(path: Path | str) -> str:
    """At most 1 MiB of a regular file as text, cut at the last whole line; "" where it cannot be read. Never blocks."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        data = bytearray()
        while len(data) <= TEXT_MAX and (piece := os.read(fd, TEXT_MAX + 1 - len(data))):
            data += piece
    except OSError:
        return ""
    finally:
        os.close(fd)
    if len(data) > TEXT_MAX:
        del data[data.rfind(b"\n", 0, TEXT_MAX) + 1 :]
    return data.decode("utf-8", "surrogateescape")


def _id(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    number = int(text)
    return number if number <= _ID_MAX else None

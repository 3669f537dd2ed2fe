"""SFTP version 3 for the sandbox user: asyncssh's server, run inside the sandbox, with nothing in it that asks the system.

It runs in the SSH child, which is in the sandbox's namespaces with the sandbox user's rights, so the kernel is what decides;
relative paths start at the workspace. Owner names come from the /etc/passwd text and times are UTC: pwd, grp and the time
zone would make the C library load or parse what the image brought. asyncssh itself looks names up for the attributes of
every file, in module functions that cannot be given to it otherwise than by putting ours in their place; version 3 of the
protocol carries no name in attributes, so numbers are enough.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Mapping

import asyncssh
from asyncssh import sftp

_HALF_YEAR = 182 * 24 * 3600  # seconds after which ls(1) shows the year in place of the hour
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _parsed(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        raise asyncssh.SFTPOwnerInvalid(f"not a number: {text!r}") from None


def seal_names() -> None:
    """From now on asyncssh asks no name service of this process. Idempotent."""
    for kind, ours in (("user", _number), ("group", _number), ("uid", _parsed), ("gid", _parsed)):
        setattr(sftp, f"_lookup_{kind}", ours)


class Files(asyncssh.SFTPServer):
    """One SFTP session."""

    users: Mapping[int, str] = {}
    groups: Mapping[int, str] = {}

    def exit(self) -> None:
        self.channel.exit(0)  # scp(1) fails where its subsystem ends without a status

    def format_user(self, uid: int | None) -> str:
        return "" if uid is None else self.users.get(uid, str(uid))

    def format_group(self, gid: int | None) -> str:
        return "" if gid is None else self.groups.get(gid, str(gid))

    def format_longname(self, name: asyncssh.SFTPName) -> None:
        attrs = name.attrs
        mode = stat.filemode(attrs.permissions) if attrs.permissions is not None else ""
        links = attrs.nlink if attrs.nlink is not None else 1
        size = attrs.size if attrs.size is not None else 0
        when = modified(attrs.mtime, time.time()) if attrs.mtime is not None else ""
        user, group = self.format_user(attrs.uid), self.format_group(attrs.gid)
        line = f"{mode:10s} {links:>4d} {user:8s} {group:8s} {size:>8d} {when:12s} "
        raw = name.filename if isinstance(name.filename, bytes) else name.filename.encode("utf-8", "surrogateescape")
        name.longname = line.encode("utf-8", "replace") + raw


def modified(mtime: float, now: float) -> str:
    """A time as ls(1) shows it, in UTC."""
    try:
        when = time.gmtime(mtime)
    except (OverflowError, OSError, ValueError):
        return "?"
    day = f"{_MONTHS[when.tm_mon - 1]} {when.tm_mday:2d}"
    if now - _HALF_YEAR < mtime <= now:
        return f"{day} {when.tm_hour:02d}:{when.tm_min:02d}"
    return f"{day}  {when.tm_year}"

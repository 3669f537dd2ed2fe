"""The /etc of a sandbox: made, not the host's. No name service but files, no user of the host, no secret.

For the host's view all of it is written here; for a tree only what names the sandbox itself, beside the image's own files.
"""

from __future__ import annotations

import os

from pyopenshell.linux import passwd
from pyopenshell.linux.ids import TTY_GID, Ids

USER = "sandbox"
HOME = "/sandbox"
MADE = frozenset(
    ("passwd", "group", "hostname", "hosts", "resolv.conf", "nsswitch.conf", "shells", "host.conf")
)  # what is written for each sandbox, and so cannot be the host's
NOBODY = 65_534  # overflowuid(5): every id that is not mapped shows as this one


def host_view_files(ids: Ids, hostname: str, shell: str) -> dict[str, str]:
    """Every file of a made /etc, by name."""
    return {
        **network_files(hostname),
        "passwd": (
            "root:x:0:0:root:/:/usr/sbin/nologin\n"
            f"{_user_line(ids, shell)}"
            f"nobody:x:{NOBODY}:{NOBODY}:nobody:/nonexistent:/usr/sbin/nologin\n"
        ),
        "group": f"root:x:0:\ntty:x:{TTY_GID}:\n{USER}:x:{ids.sandbox_gid}:\nnogroup:x:{NOBODY}:\n",
        "nsswitch.conf": "".join(
            f"{database}: files\n"
            for database in ("passwd", "group", "shadow", "hosts", "networks", "protocols", "services", "ethers", "rpc")
        ),
        "shells": "/bin/sh\n/bin/bash\n",
        "host.conf": "multi on\n",
    }


def network_files(hostname: str) -> dict[str, str]:
    """The files that name this machine; there is no name server, because there is no network but the loopback."""
    return {
        "hostname": f"{hostname}\n",
        "hosts": f"127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n",
        "resolv.conf": "# a sandbox has its loopback and no name server\n",
    }


def tree_files(ids: Ids, hostname: str, passwd_text: str, group_text: str, shell: str) -> dict[str, str]:
    """What is written into a tree's /etc: the network files, and user and group `sandbox` where the image has none."""
    files = network_files(hostname)
    if not any(user.name == USER for user in passwd.parse_users(passwd_text)):
        files["passwd"] = _with_line(passwd_text, _user_line(ids, shell))
    if USER not in passwd.parse_groups(group_text):
        files["group"] = _with_line(group_text, f"{USER}:x:{ids.sandbox_gid}:\n")
    return files


def ids_in_tree(passwd_text: str) -> tuple[int, int]:
    """User and group id of `sandbox` for an image: its own user of that name, else the first free id from 1000 up."""
    users = passwd.parse_users(passwd_text)
    named = next((user for user in users if user.name == USER), None)
    if named is not None and 0 < named.uid < NOBODY and 0 < named.gid < NOBODY:
        return named.uid, named.gid
    taken = {user.uid for user in users} | {user.gid for user in users}
    free = next(number for number in range(1000, NOBODY) if number not in taken)
    return free, free


def sandbox_ids(tree: str) -> tuple[int, int]:
    """User and group id that `sandbox` has in the root directory at `tree`, as `ids_in_tree` has it."""
    return ids_in_tree(passwd.read_text(os.path.join(tree, "etc/passwd")))


def _user_line(ids: Ids, shell: str) -> str:
    return f"{USER}:x:{ids.sandbox_uid}:{ids.sandbox_gid}:{USER}:{HOME}:{shell}\n"


def _with_line(text: str, line: str) -> str:
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}"

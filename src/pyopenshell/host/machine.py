"""Which machine this is: for the gateway, that a copied state shows; and for people, what to call it."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Sequence
from pathlib import Path

from pyopenshell.errors import OpenShellError
from pyopenshell.model import check_name

#: machine-id(5) and random(4): the installation, and this boot of it. A copied disk has the first in common, containers of
#: one machine the second.
SOURCES = (Path("/etc/machine-id"), Path("/proc/sys/kernel/random/boot_id"))
NAME_MAX = 63  # characters of a DNS label, RFC 1035 section 2.3.4
NAMELESS = "host"


def machine_id(sources: Sequence[Path] = SOURCES) -> str:
    """64 hex digits, another for each machine and each boot; a hash, as machine-id(5) asks of whoever tells it."""
    digest = hashlib.sha256(b"pyopenshell sandbox host\0")
    for path in sources:
        try:
            digest.update(path.read_bytes().strip())
        except OSError:  # an image without machine-id: the boot tells machines apart all the same
            pass
        digest.update(b"\0")
    return digest.hexdigest()


def machine_name(hostname: str = "") -> str:
    """The first label of the host name as a name of ours; `host` where nothing of it can be one."""
    label = (hostname or socket.gethostname()).partition(".")[0].lower()
    label = re.sub(r"[^a-z0-9]+", "-", label)[:NAME_MAX].strip("-")
    try:
        return check_name(label)
    except OpenShellError:
        return NAMELESS

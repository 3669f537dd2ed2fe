"""The SSH host key of a sandbox: one Ed25519 pair for its whole life, made when it is created (RFC 8709, RFC 4255 names)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


@dataclass(frozen=True, slots=True)
class HostKey:
    """`public` is `ssh-ed25519 AAAA...`, `private` OpenSSH's PEM, `fingerprint` `SHA256:...` as ssh-keygen -l prints it."""

    public: str
    private: str = field(repr=False)
    fingerprint: str


def new_host_key() -> HostKey:
    """A fresh key."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return HostKey(public, private, "SHA256:" + base64.b64encode(digest).decode().rstrip("="))

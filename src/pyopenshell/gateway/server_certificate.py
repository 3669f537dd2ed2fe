"""The gateway's certificates while it runs: looked at once a day, made anew in time, shown from the next handshake on.

Connections that are up keep what they began with. A look that fails (a full disk) is logged and tried again the next day;
certificates are renewed weeks before their end.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from pyopenshell.errors import OpenShellError
from pyopenshell.gateway.authority import Authority
from pyopenshell.gateway.pki import PkiFiles, ensure_pki
from pyopenshell.streams.tls import show_certificate

INTERVAL = 24 * 3600.0  # seconds; certbot's timer looks twice a day

logger = logging.getLogger("pyopenshell.gateway.server_certificate")


class ServerCertificate:
    """Made (or found) when constructed; `tls` is the context that shows it. Raises as `ensure_pki`."""

    def __init__(self, directory: Path, owner: str, names: tuple[str, ...], wall: Callable[[], float]) -> None:
        self._directory = directory
        self._owner = owner
        self._names = names
        self._wall = wall
        self.files = self._ensure()

    def _ensure(self) -> PkiFiles:
        return ensure_pki(self._directory, owner=self._owner, now=self._wall(), names=self._names)

    async def keep(self, tls: ssl.SSLContext, authority: Authority, interval: float = INTERVAL) -> None:
        """Look now and then, for ever."""
        while True:
            await asyncio.sleep(interval)
            try:
                self.look(tls, authority)
            except OpenShellError as error:
                logger.warning("the gateway's certificates were not renewed: %s", error)

    def look(self, tls: ssl.SSLContext, authority: Authority) -> None:
        """Renew what ends soon, and show it."""
        before = self.files.server_cert.read_bytes() if self.files.server_cert.exists() else b""
        self._ensure()
        show_certificate(tls, self.files.server_cert, self.files.server_key)
        authority.reload()
        if self.files.server_cert.read_bytes() != before:
            logger.info("the server certificate was renewed")

"""A new certificate for the same key, asked for over a connection that the old one authenticated.

Who keeps the files decides when (`Validity.renew_after`), and puts the new certificate in the place of the old one by
rename: a reader finds either, and both fit the key. Nothing depends on it until the old one ends, so a failure is tried
again later.
"""

from __future__ import annotations

from pyopenshell.enrol.keys import Key, Validity, der_of
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

RENEW = "/pyopenshell.v1.Extension/RenewCertificate"
RENEW_TIMEOUT = 5.0  # seconds that a connection's first use may be held up, once in a certificate's life
RETRY_AFTER = 3600.0  # seconds: a gateway that cannot renew now is not asked again by every command


async def renew(
    channel: Channel, *, key: bytes, authority: bytes, timeout: float = RENEW_TIMEOUT
) -> tuple[bytes, Validity]:
    """The new certificate in PEM and its times; `key` and `authority` are the PEM files that the connection uses.

    Raises what the gateway answers, BROKEN, DEADLINE, UNAVAILABLE, and PRECONDITION for files that cannot be read.
    """
    ours = Key.read(key)
    request = ext.RenewCertificateRequest(signing_request=ours.request())
    answer = await channel.unary(RENEW, request, ext.RenewCertificateResponse, timeout=timeout)
    return ours.accept(answer.certificate, der_of(authority))

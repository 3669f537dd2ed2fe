"""A certificate renews itself: a connection that is made after `renew_after` asks for a new one, of the same key.

Best effort: the old one counts until it ends, so nobody is told of a failure and the next try is an hour later. Nothing of
this is loaded before it is due. Where a certificate has ended all the same, the refusal that follows is told with both the
certificate's time and this machine's clock, because one of them is the reason.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pyopenshell.errors import OpenShellError
from pyopenshell.files import read_small, write_private
from pyopenshell.sdk.gateways import Gateway, add_fields

if TYPE_CHECKING:
    from pyopenshell.streams.grpc_client import Channel

RENEW_AFTER = "renew_after"  # of metadata.json: seconds since the epoch


def due(gateway: Gateway, now: float) -> bool:
    """Whether the certificate for `gateway` is to be renewed at `now`; never for one of whose times nothing is known."""
    after = gateway.extra.get(RENEW_AFTER)
    return isinstance(after, int | float) and after <= now


async def renew(gateway: Gateway, channel: Channel, now: float) -> bool:
    """Put a new certificate in the place of the old one, which `channel` was made with; whether that was done."""
    from pyopenshell.enrol import renewal

    done = False
    try:
        key, authority = read_small(gateway.key) or b"", read_small(gateway.ca) or b""
        certificate, times = await renewal.renew(channel, key=key, authority=authority)
        write_private(gateway.certificate, certificate, durable=True)
        done, after = True, times.renew_after
    except OpenShellError:
        after = now + renewal.RETRY_AFTER
    gateway.extra[RENEW_AFTER] = after
    with suppress(OpenShellError):  # a full disk: this process asks no more, the next one does
        add_fields(gateway, {RENEW_AFTER: after})
    return done


def fields_of(certificate: bytes | None) -> dict[str, float]:
    """What metadata keeps of a certificate (PEM); nothing where it cannot be read."""
    from pyopenshell.enrol.keys import validity

    try:
        return {RENEW_AFTER: validity(certificate or b"").renew_after}
    except OpenShellError:
        return {}


def out_of_time(gateway: Gateway, now: float) -> str:
    """What is wrong with the times of our certificate for `gateway`, with this machine's clock; empty where nothing is."""
    from pyopenshell.enrol.keys import clock, validity

    try:
        times = validity(read_small(gateway.certificate) or b"")
    except OpenShellError:
        return ""
    if times.start <= now < times.end:
        return ""
    when = f"ended at {clock(times.end)}" if now >= times.end else f"counts from {clock(times.start)} on"
    return f"the certificate in {gateway.mtls} {when}, and this machine's clock says {clock(now)}"

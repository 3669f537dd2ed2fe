"""A new certificate for the key that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyopenshell.enrol.dialogue import Enrolled, enrol
from pyopenshell.enrol.invitation import Invited
from pyopenshell.enrol.keys import Key, validity
from pyopenshell.enrol.renewal import renew
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import Channel, Endpoint, client_context
from tests.support.enrolment import Authority, EnrollingGateway


async def connect(found: Enrolled, directory: Path) -> Channel:
    for file, content in found.credentials.items():
        (directory / file).write_bytes(content)
    tls = client_context(*(directory / file for file in ("ca.crt", "tls.crt", "tls.key")))
    return await Channel.connect(Endpoint(found.address.host, found.address.port), tls)


async def test_it_is_asked_for_with_the_old_one(gateway: EnrollingGateway, tmp_path: Path) -> None:
    found = await enrol(gateway.invitation(), Invited.USER, name="ada")
    gateway.certificate_end = 99 * 86400.0
    channel = await connect(found, tmp_path)
    try:
        pem, times = await renew(channel, key=found.key, authority=found.authority)
        assert gateway.certificates[-1] is not None
        assert times == validity(pem) and times.end > found.validity.end
        gateway.signs_with = Authority()
        with pytest.raises(OpenShellError, match="not for our key"):
            await renew(channel, key=found.key, authority=found.authority)
        gateway.refuse["RenewCertificate"] = OpenShellError(Code.UNAUTHENTICATED, "was revoked")
        with pytest.raises(OpenShellError, match="was revoked"):
            await renew(channel, key=Key.make().pem, authority=found.authority)
        with pytest.raises(OpenShellError, match="cannot be read"):
            await renew(channel, key=b"rubbish", authority=found.authority)
    finally:
        await channel.close()

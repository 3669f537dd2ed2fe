"""API tokens over the wire."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.client import Client


async def test_create_list_revoke(client: Client) -> None:
    made, secret = await client.tokens.create("ci", scopes=["exec"], ttl=3600)
    assert (made.name, made.scopes, secret) == ("ci", ("exec",), "s3cret")
    endless, _ = await client.tokens.create("bot", ttl=0)
    assert endless.expires is None and made.expires is not None
    assert [token.name for token in await client.tokens.list()] == ["ci", "bot"]
    assert (await client.tokens.revoke("ci")).revoked is not None
    with pytest.raises(OpenShellError) as caught:
        await client.tokens.revoke("nope")
    assert caught.value.code is Code.NOT_FOUND

"""Host keys: what OpenSSH would make of them."""

from __future__ import annotations

import asyncssh

from pyopenshell.gateway.host_keys import new_host_key


def test_the_three_forms_are_one_key() -> None:
    key = new_host_key()
    private = asyncssh.import_private_key(key.private)
    public = asyncssh.import_public_key(key.public)
    assert private.public_data == public.public_data
    assert private.get_algorithm() == "ssh-ed25519"
    assert public.get_fingerprint() == key.fingerprint


def test_keys_differ_and_stay_out_of_the_repr() -> None:
    key, other = new_host_key(), new_host_key()
    assert key.public != other.public
    assert "PRIVATE" not in repr(key)

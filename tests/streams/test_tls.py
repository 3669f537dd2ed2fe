from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import client_context, server_context
from pyopenshell.streams.tls import authority_context, unverified_context


def test_contexts_are_tls_1_3_and_verify(pki: Path) -> None:
    client = client_context(pki / "ca.crt", pki / "tls.crt", pki / "tls.key")
    assert client.minimum_version is ssl.TLSVersion.TLSv1_3
    assert client.check_hostname
    assert client.verify_mode is ssl.CERT_REQUIRED
    server = server_context(pki / "tls.crt", pki / "tls.key", pki / "ca.crt")
    assert server.minimum_version is ssl.TLSVersion.TLSv1_3
    assert server.verify_mode is ssl.CERT_REQUIRED
    assert server.num_tickets > 0


def test_a_client_certificate_may_be_left_out_where_the_server_says_so(pki: Path) -> None:
    assert server_context(pki / "tls.crt", pki / "tls.key").verify_mode is ssl.CERT_NONE
    context = server_context(pki / "tls.crt", pki / "tls.key", pki / "ca.crt", required=False)
    assert context.verify_mode is ssl.CERT_OPTIONAL


def test_only_the_given_ca_is_trusted(pki: Path) -> None:
    (subject,) = client_context(pki / "ca.crt").get_ca_certs()
    assert subject["subject"] == ((("commonName", "ca"),),)


def test_files_that_cannot_be_used_are_named(pki: Path, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no certificate")
    for ca in (tmp_path / "missing", rubbish):
        with pytest.raises(OpenShellError, match=ca.name) as caught:
            client_context(ca)
        assert caught.value.code is Code.PRECONDITION
    with pytest.raises(OpenShellError, match="rubbish"):
        server_context(rubbish, pki / "tls.key")
    with pytest.raises(OpenShellError, match=r"other\.crt"):
        server_context(pki / "other.crt", pki / "tls.key")


def test_an_authority_that_was_never_a_file(pki: Path) -> None:
    context = authority_context((pki / "ca.crt").read_text())
    (subject,) = context.get_ca_certs()
    assert subject["subject"] == ((("commonName", "ca"),),)
    assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(OpenShellError, match="cannot use the CA certificate") as caught:
        authority_context("no certificate")
    assert caught.value.code is Code.PRECONDITION


def test_the_context_that_verifies_nothing_is_tls_1_3_all_the_same() -> None:
    context = unverified_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3

"""TLS contexts for both sides: TLS 1.3 (RFC 8446), ALPN `h2` (RFC 7301), mutual where a client certificate is wanted."""

from __future__ import annotations

import ssl
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError

#: The protocol's name in ALPN, RFC 9113 section 3.2.
ALPN = ["h2"]


def client_context(ca: Path | None, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """A client's context: trusts `ca` alone, checks the host name, shows `cert`/`key` where given (PEM files).

    Without `ca` the system's authorities are trusted. Raises PRECONDITION naming the file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    if ca is None:
        context.load_default_certs()
    else:
        _load_ca(context, ca)
    if cert is not None and key is not None:
        _load_chain(context, cert, key)
    return context


def authority_context(pem: str) -> ssl.SSLContext:
    """A client's context that trusts the authority in `pem` alone, and checks the host name. Raises PRECONDITION."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    try:
        context.load_verify_locations(cadata=pem)
    except (OSError, ValueError) as error:
        raise OpenShellError(Code.PRECONDITION, f"cannot use the CA certificate: {_words(error)}") from error
    return context


def unverified_context() -> ssl.SSLContext:
    """A client's context that verifies nothing: to ask who is there, never to tell anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def server_context(cert: Path, key: Path, client_ca: Path | None = None, *, required: bool = True) -> ssl.SSLContext:
    """A server's context. With `client_ca`, a client must show a certificate of it; with `required` false, it may.

    Session tickets are on, so that a client's next connection saves the key exchange. Raises PRECONDITION.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _load_chain(context, cert, key)
    if client_ca is not None:
        _load_ca(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def show_certificate(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    """From the next handshake on, `context` shows this certificate. Raises PRECONDITION."""
    _load_chain(context, cert, key)


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(ALPN)


def _load_ca(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(cafile=str(ca))
    except (OSError, ValueError) as error:
        raise OpenShellError(Code.PRECONDITION, f"cannot read the CA certificate {ca}: {_words(error)}") from error


def _load_chain(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certfile=str(cert), keyfile=str(key), password="")
    except (OSError, ValueError) as error:
        raise OpenShellError(
            Code.PRECONDITION, f"cannot use the certificate {cert} with the key {key}: {_words(error)}"
        ) from error


def _words(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

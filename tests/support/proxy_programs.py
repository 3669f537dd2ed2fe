"""Real proxies: nginx and HAProxy in front of a gateway, tinyproxy on the way to one. `make proxies` fetches them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

PROGRAMS = ("nginx", "haproxy", "tinyproxy")
PAUSE = 0.02
FETCHED = Path(__file__).parents[2] / ".tools" / "proxies" / "root"

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream gateway {{ server {gateway}; keepalive 16; keepalive_timeout 60s; }}
  server {{
    listen {front} ssl http2;
    ssl_certificate {pki}/server.crt; ssl_certificate_key {pki}/server.key; ssl_protocols TLSv1.3;
    client_max_body_size 0; client_body_timeout 1d; send_timeout 1d; keepalive_timeout 1h; keepalive_requests 1000000;
    http2_max_concurrent_streams 1000; http2_body_preread_size 128k;
    location / {{
      grpc_pass grpcs://gateway;
      grpc_read_timeout 1d; grpc_send_timeout 1d; grpc_socket_keepalive on; grpc_buffer_size 64k;
      grpc_ssl_certificate {proxy}/tls.crt; grpc_ssl_certificate_key {proxy}/tls.key; grpc_ssl_protocols TLSv1.3;
      grpc_ssl_trusted_certificate {proxy}/ca.crt; grpc_ssl_verify on; grpc_ssl_name localhost;
    }}
  }}
}}
"""
HAPROXY = """
defaults
  timeout connect 10s
  timeout client 1d
  timeout server 1d
frontend through
  mode tcp
  bind {through}
  default_backend gateway_tcp
backend gateway_tcp
  mode tcp
  server gateway {gateway}
frontend terminating
  mode http
  bind {front} ssl crt {folder}/front.pem ssl-min-ver TLSv1.3 alpn h2
  default_backend gateway_h2
backend gateway_h2
  mode http
  server gateway {gateway} ssl verify required verifyhost localhost ca-file {proxy}/ca.crt crt {folder}/proxy.pem alpn h2
"""
TINYPROXY = """
Port {port}
Listen {address}
Timeout 600
MaxClients 50
LogFile "{folder}/tinyproxy.log"
BasicAuth {user} {password}
ConnectPort {gateway_port}
"""


def program(name: str) -> str:
    """Where `name` is; empty where it is not on this machine."""
    fetched = (str(FETCHED / folder / name) for folder in ("usr/sbin", "usr/bin"))
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") or next(filter(os.path.exists, fetched), "")


def missing() -> str:
    """Which programs are not here, as the reason of a skip; empty where all are."""
    absent = [name for name in PROGRAMS if not program(name)]
    return f"no {', '.join(absent)}: see `make proxies`" if absent else ""


def environ() -> dict[str, str]:
    """With the libraries that were fetched with them."""
    return os.environ | {"LD_LIBRARY_PATH": str(FETCHED / "usr" / "lib" / f"{os.uname().machine}-linux-gnu")}


def free_port() -> int:
    """A loopback port that nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; what another process does is polled for, without a limit of its own."""
    while not condition():
        time.sleep(PAUSE)


Start = Callable[..., "subprocess.Popen[bytes]"]


@contextlib.contextmanager
def running(
    argv: Sequence[str], listens: Callable[[], bool], log: Path, start: Start = subprocess.Popen
) -> Iterator[None]:
    """`argv` from when it listens until the end of the block."""
    with log.open("wb") as out:
        process = start(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environ())
    try:
        wait(lambda: process.poll() is not None or listens())
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait()


def listening(port: int) -> bool:
    """Whether somebody accepts on this loopback port."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def nginx(folder: Path, gateway: str, pki: Path, proxy: Path) -> Iterator[int]:
    """nginx in front of `gateway` (host:port) with the certificates in `pki` and `proxy`; the port."""
    port = free_port()
    folder.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    text = NGINX.format(folder=folder, user=user, gateway=gateway, front=f"127.0.0.1:{port}", pki=pki, proxy=proxy)
    (folder / "nginx.conf").write_text(text)
    argv = [program("nginx"), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    with running(argv, lambda: listening(port), folder / "out"):
        yield port


@contextlib.contextmanager
def haproxy(folder: Path, gateway: str, pki: Path, proxy: Path) -> Iterator[Mapping[str, int]]:
    """HAProxy in front of `gateway`; the port that passes TLS `through`, and the one that is `terminating` it."""
    ports = {"through": free_port(), "terminating": free_port()}
    folder.mkdir()
    (folder / "front.pem").write_bytes((pki / "server.crt").read_bytes() + (pki / "server.key").read_bytes())
    (folder / "proxy.pem").write_bytes((proxy / "tls.crt").read_bytes() + (proxy / "tls.key").read_bytes())
    text = HAPROXY.format(
        folder=folder,
        gateway=gateway,
        through=f"127.0.0.1:{ports['through']}",
        front=f"127.0.0.1:{ports['terminating']}",
        proxy=proxy,
    )
    (folder / "haproxy.cfg").write_text(text)
    argv = [program("haproxy"), "-f", f"{folder}/haproxy.cfg"]
    with running(argv, lambda: all(map(listening, ports.values())), folder / "out"):
        yield ports

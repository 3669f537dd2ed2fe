"""`openshell-gateway`: flags, configuration, signals. Wiring only; the gateway itself is `app.py`.

It says that it serves with one JSON line on the ready descriptor: {"endpoint", "listens", "pid", "port"}. SIGTERM, SIGINT
and SIGHUP (but under nohup(1)) drain it, and a second one ends the drain; so does the end of the lifetime descriptor, at
once: its sandboxes end with it, so there is nothing to wait for. What keeps it from serving is the last line on stderr,
behind `error: `.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import ipaddress
import json
import logging
import os
import pwd
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from pyopenshell import log
from pyopenshell.config import GatewayConfig, load_gateway, xdg_dirs
from pyopenshell.drivers.local import LocalDriver
from pyopenshell.errors import EXIT_CODES, EXIT_ERROR, EXIT_OK, OpenShellError
from pyopenshell.gateway.app import Gateway
from pyopenshell.gateway.first import stand_in_front
from pyopenshell.gateway.settings import Settings
from pyopenshell.linux import memory
from pyopenshell.model import parse_bind
from pyopenshell.relay.limits import ConnectionLimits

logger = logging.getLogger("pyopenshell.gateway")
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a gateway until it is told to stop; the exit status."""
    options = _parser().parse_args(argv)
    try:
        config = load_gateway(os.environ, file=options.config, flags=_flags(options))
        if (status := stand_in_front()) is not None:
            return status
        log.configure(config.log_level, fmt=config.log_format)
        asyncio.run(_serve(config, options.ready_fd, options.lifetime_fd))
    except OpenShellError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return EXIT_CODES[error.code]
    except OSError as error:
        print(f"error: the gateway cannot start: {error}", file=sys.stderr, flush=True)
        return EXIT_ERROR
    return EXIT_OK


def _flags(options: argparse.Namespace) -> dict[str, object]:
    """The configuration's keys that flags say; None for those that were not given."""
    host, port = parse_bind(options.bind) if options.bind else (None, None)
    return {
        "name": options.name,
        "state_dir": options.state,
        "host": host or options.host,
        "port": options.port if port is None else port,
        "server_names": tuple(options.san) or None,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="openshell-gateway",
        description="Serves sandboxes of this machine to clients with TLS, and to their supervisors.",
        epilog="example: openshell-gateway --name lab --bind 0.0.0.0:17670 --san lab.example",
    )
    parser.add_argument("--name", help="name of this gateway (default: local)")
    parser.add_argument("--state", type=Path, help="its state directory")
    parser.add_argument("--config", type=Path, help="configuration file (TOML)")
    parser.add_argument("--bind", metavar="ADDR[:PORT]", help="the same as --host and --port in one")
    parser.add_argument(
        "--san",
        action="append",
        default=[],
        metavar="NAME",
        help="further name or address in its certificate; repeatable",
    )
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument("--ready-fd", type=int, help="descriptor that gets one JSON line once the gateway serves")
    parser.add_argument("--lifetime-fd", type=int, help="descriptor whose end ends the gateway and its sandboxes")
    parser.add_argument("--version", action="version", version=version("pyopenshell"))
    return parser


async def _serve(config: GatewayConfig, ready: int | None, lifetime: int | None) -> None:
    settings = _settings(config, lifetime is not None)
    sandboxes = settings.state / "sandboxes"
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    stop, orphaned = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    if lifetime is not None:
        os.set_blocking(lifetime, False)
        os.set_inheritable(lifetime, False)
        loop.add_reader(lifetime, _read_lifetime, lifetime, stop, orphaned)
    driver = LocalDriver(sandboxes, strict=config.isolation == "strict", etc_binds=config.etc_binds)
    gateway = await Gateway.start(settings, driver)
    try:
        if not ipaddress.ip_address(settings.host).is_loopback:
            logger.warning("gateway %s is open to other machines at %s", settings.name, gateway.endpoint)
        if ready is not None:
            _say_ready(ready, gateway)
        # What start-up made lives as long as the process: the collector need not look at it again. What it only read or
        # has freed is not needed again.
        gc.collect()
        gc.freeze()
        memory.drop_clean_pages()
        memory.trim()
        await stop.wait()
    finally:
        for number in signals:
            loop.add_signal_handler(number, gateway.hurry)
        hurrying = asyncio.ensure_future(_hurry(gateway, orphaned))
        await gateway.stop()
        hurrying.cancel()


def _settings(config: GatewayConfig, lifetime_gateway: bool) -> Settings:
    dirs = xdg_dirs(os.environ, Path.home())
    return Settings(
        name=config.name,
        state=config.state_dir or dirs.state / "gateways" / config.name,
        runtime=config.runtime_dir or dirs.runtime / config.name,
        owner=_owner(),
        version=version("pyopenshell"),
        host=config.host,
        port=config.port,
        server_names=config.server_names,
        database_url=config.database_url,
        audit=config.audit,
        audit_max_bytes=config.audit_max_bytes,
        audit_keep=config.audit_keep,
        limits=ConnectionLimits(
            per_token=config.connections_per_token,
            per_sandbox=config.connections_per_sandbox,
            granted_per_sandbox=config.granted_connections,
        ),
        certificate_ttl=config.certificate_ttl,
        session_ttl=config.session_ttl,
        supervisor_token_ttl=config.supervisor_token_ttl,
        claim_timeout=config.claim_timeout,
        grace=config.session_grace,
        heartbeat_interval=config.heartbeat_interval,
        relay_budget=config.relay_budget,
        lifetime_gateway=lifetime_gateway,
    )


def _owner() -> str:
    """The user's name, or the id of one who has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid-{os.geteuid()}"


async def _hurry(gateway: Gateway, orphaned: asyncio.Event) -> None:
    await orphaned.wait()
    gateway.hurry()


def _read_lifetime(descriptor: int, stop: asyncio.Event, orphaned: asyncio.Event) -> None:
    try:
        ended = not os.read(descriptor, 4096)
    except BlockingIOError:
        return
    except OSError:
        ended = True
    if ended:
        asyncio.get_running_loop().remove_reader(descriptor)
        stop.set()
        orphaned.set()


def _say_ready(descriptor: int, gateway: Gateway) -> None:
    told = {"endpoint": gateway.endpoint, "listens": gateway.settings.host, "pid": os.getpid(), "port": gateway.port}
    line = json.dumps(told) + "\n"
    try:
        os.write(descriptor, line.encode())
    except OSError as error:  # whoever started us is gone already; the gateway serves all the same
        print(f"nobody reads the ready descriptor: {error.strerror}", file=sys.stderr)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())

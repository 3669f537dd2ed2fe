"""The table of checks: each has a name, and raises AssertionError where other people's tools find a fault.

A check may stand for several cases (146 of h2spec; those of a client program, which prints a line for each): its `cases`
names them all, and it yields a verdict for each, so that one that was not played is missed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from conformance import client, grpcio_client
from conformance.grpcio_peer import KINDS
from conformance.processes import HOST, PYTHON, Ran, Target, run, run_tool
from conformance.service import NAME
from pyopenshell.streams import Channel, Endpoint, client_context

#: What h2spec 2.2.1 has, strict cases included. A skipped case is no passed one.
H2SPEC_CASES = 146
LOAD_CALLS, LOAD_CONCURRENCY, LOAD_CONNECTIONS = 3_000, 50, 4
LOAD_MESSAGES = 5  # of one bidirectional call
#: Cases of conformance/go/grpcgo/raw.go.
RAW = (
    "trailers-only",
    "status-in-trailers",
    "server-keeps-the-deadline",
    "gzip-refusal-names-identity",
    "compressed-flag-alone",
    "not-grpc-is-415",
    "timeout-of-no-unit",
)
#: Cases of both gRPC client programs, each played with every kind of RPC.
CALLS = tuple(f"{case.__name__.replace('_', '-')}/{kind.name}" for case in grpcio_client.CASES for kind in KINDS)

#: What went wrong with each case; empty where nothing did.
Verdicts = dict[str, str]


@dataclass(frozen=True)
class Check:
    """`play` gives a verdict for each of `cases` at one kind of server, `ours` or `theirs` (grpc-go's interop server)."""

    name: str
    cases: tuple[str, ...]
    play: Callable[[Target], Awaitable[Verdicts]]
    server: str = "ours"


async def h2spec(target: Target) -> Verdicts:
    secure = [] if target.ca is None else ["--tls", "--insecure"]
    ran = await run_tool("h2spec", "--strict", "--host", HOST, "--port", str(target.port), *secure)
    found = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", ran.out)
    if found is None:
        return {"all": ran.words}
    if ran.status == 0 and [int(n) for n in found.groups()] == [H2SPEC_CASES, H2SPEC_CASES, 0, 0]:
        return {"all": ""}
    return {"all": found[0] + "".join(re.findall(r"\n +[×\u2717].*", ran.out))}


# -- grpcurl ----------------------------------------------------------------------------------------------------------


async def _grpcurl(target: Target, *options: str, ask: tuple[str, ...]) -> Ran:
    secure = ["-plaintext"] if target.ca is None else ["-cacert", str(target.ca), "-authority", "localhost"]
    return await run_tool("grpcurl", *secure, *options, target.address, *ask)


def _verdict(ran: Ran, *words: str) -> str:
    """Empty where `ran` ended well and said all `words`."""
    missing = [word for word in words if word not in ran.out]
    return "" if ran.status == 0 and not missing else f"missing {missing}; {ran.words}"


async def grpcurl(target: Target) -> Verdicts:
    ask = json.dumps({"responseSize": 3, "payload": {"body": "AAAA"}})
    many = json.dumps({"responseParameters": [{"size": 1}, {"size": 2}]})
    refused = await _grpcurl(
        target, "-d", json.dumps({"responseStatus": {"code": 5, "message": "nö"}}), ask=(f"{NAME}/UnaryCall",)
    )
    refusal = "" if refused.status and "NotFound" in refused.err and "nö" in refused.err else refused.words
    return {
        "list": _verdict(await _grpcurl(target, ask=("list",)), NAME, "grpc.reflection.v1.ServerReflection"),
        "list-methods": _verdict(await _grpcurl(target, ask=("list", NAME)), f"{NAME}.HalfDuplexCall"),
        "describe": _verdict(await _grpcurl(target, ask=("describe", NAME)), "rpc StreamingInputCall ( stream"),
        "describe-message": _verdict(
            await _grpcurl(target, ask=("describe", "grpc.testing.SimpleRequest")), "int32 response_size = 2;"
        ),
        "call": _verdict(await _grpcurl(target, "-d", ask, ask=(f"{NAME}/UnaryCall",)), '"body": "AAAA"'),
        "call-streams": _verdict(
            await _grpcurl(target, "-d", many + many, ask=(f"{NAME}/FullDuplexCall",)),
            '"body": "AA=="',
            '"body": "AAA="',
        ),
        "call-refused": refusal,
    }


# -- ghz --------------------------------------------------------------------------------------------------------------


async def _load(target: Target, method: str, data: object) -> str:
    secure = ["--insecure"] if target.ca is None else ["--cacert", str(target.ca), "--cname", "localhost"]
    numbers = ["-n", str(LOAD_CALLS), "-c", str(LOAD_CONCURRENCY), "--connections", str(LOAD_CONNECTIONS)]
    asked = ["--call", f"{NAME}.{method}", "-d", json.dumps(data)]
    ran = await run_tool("ghz", *secure, *numbers, *asked, "-O", "json", target.address)
    if ran.status:
        return ran.words
    told = json.loads(ran.out)
    statuses, errors = told["statusCodeDistribution"], told["errorDistribution"]
    return "" if statuses == {"OK": LOAD_CALLS} and not errors else f"{statuses} {errors}"


async def ghz(target: Target) -> Verdicts:
    message = {"response_parameters": [{"size": 1000}], "payload": {"body": "AAAA"}}
    return {
        "unary": await _load(target, "UnaryCall", {"response_size": 1000, "payload": {"body": "AAAA"}}),
        "bidi": await _load(target, "FullDuplexCall", [message] * LOAD_MESSAGES),
    }


# -- programs that play many cases ------------------------------------------------------------------------------------


def _told(ran: Ran) -> Verdicts:
    """The verdicts that a program printed, a line each."""
    found: Verdicts = {}
    for line in ran.out.splitlines():
        if line.startswith("ok "):
            found[line.removeprefix("ok ")] = ""
        elif line.startswith("FAIL "):
            name, _, why = line.removeprefix("FAIL ").partition(": ")
            found[name] = why or "failed"
    if ran.status and not any(found.values()):
        found["the program itself"] = ran.words
    return found


def _grpcgo(suite: str) -> Callable[[Target], Awaitable[Verdicts]]:
    async def play(target: Target) -> Verdicts:
        trust = [] if target.ca is None else ["-ca", str(target.ca)]
        return _told(await run_tool("grpcgo", "-address", target.address, "-suite", suite, *trust))

    return play


async def grpcio(target: Target) -> Verdicts:
    trust = [] if target.ca is None else [str(target.ca)]
    return _told(await run(*PYTHON, "conformance.grpcio_client", str(target.port), *trust))


# -- the official interoperability cases ------------------------------------------------------------------------------


async def interop(target: Target) -> Verdicts:
    """grpc-go's interop client against us."""
    options = ["-server_host", HOST, "-server_port", str(target.port)]
    if target.ca is not None:
        options += ["-use_tls", "-use_test_ca", "-ca_file", str(target.ca), "-server_host_override", "localhost"]
    verdicts = {}
    for case in client.CASES:
        ran = await run_tool("client", "-test_case", case, *options)
        verdicts[case] = "" if ran.status == 0 else ran.words
    return verdicts


async def our_client(target: Target) -> Verdicts:
    """Our client engine against a server of the same service."""
    tls = None if target.ca is None else client_context(target.ca)
    verdicts = {}
    for name, case in client.CASES.items():
        channel = await Channel.connect(Endpoint(HOST, target.port, server_name="localhost"), tls)
        try:
            await case(channel)
            verdicts[name] = ""
        except Exception as error:  # whatever it is, it is this case's verdict
            verdicts[name] = f"{type(error).__name__}: {error}"
        finally:
            await channel.close()
    return verdicts


INTEROP = tuple(client.CASES)
GRPCURL = ("list", "list-methods", "describe", "describe-message", "call", "call-streams", "call-refused")
CHECKS = (
    Check("h2spec", ("all",), h2spec),
    Check("grpc-go interop client", INTEROP, interop),
    Check("our client, our server", INTEROP, our_client),
    Check("our client, grpc-go interop server", INTEROP, our_client, "theirs"),
    Check("grpcurl", GRPCURL, grpcurl),
    Check("grpc-go", CALLS, _grpcgo("calls")),
    Check("grpc-go, HTTP/2 alone", RAW, _grpcgo("raw")),
    Check("grpc-go, keepalive", ("keepalive",), _grpcgo("keepalive")),
    Check("grpcio", (*CALLS, "keepalive"), grpcio),
    Check("ghz", ("unary", "bidi"), ghz),
)
#: (check, case) that must fail with each service of `conformance/broken.py`.
MUST_FAIL = {
    "ForgetsTrailers": ("grpc-go interop client", "custom_metadata"),
    "ForgetsHeaders": ("our client, our server", "custom_metadata"),
    "ForgetsTheStatus": ("grpc-go interop client", "empty_unary"),
    "LosesAByte": ("grpcurl", "call"),
    "HoldsOn": ("grpc-go", "client-cancels/bidi"),
    "AnswersNoContent": ("h2spec", "all"),
}

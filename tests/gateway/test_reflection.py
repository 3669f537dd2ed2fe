"""Server reflection on the wire, both versions: what `grpcurl list` and `describe` ask."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from pyopenshell.gateway.reflection import METHOD, SERVICES
from pyopenshell.wire.grpc.reflection.v1 import reflection_pb2 as pb
from pyopenshell.wire.status import GrpcStatus
from tests.support.gateway_kit import Kit

Request = pb.ServerReflectionRequest


async def ask(kit: Kit, *requests: Request, service: str = SERVICES[0]) -> list[pb.ServerReflectionResponse]:
    call = await (await kit.connect_tls(cert=False)).open(f"/{service}/{METHOD}")
    answers = []
    for request in requests:
        await call.send(request)
        answer = await call.receive(pb.ServerReflectionResponse)
        assert answer is not None
        assert answer.original_request == request
        answers.append(answer)
    await call.end()
    assert await call.read() is None
    return answers


@pytest.mark.parametrize("service", SERVICES)
async def test_list(kit: Kit, service: str) -> None:
    (answer,) = await ask(kit, Request(list_services="*"), service=service)
    assert [found.name for found in answer.list_services_response.service] == sorted(
        [
            "openshell.v1.OpenShell",
            "pyopenshell.v1.Enrolment",
            "pyopenshell.v1.Extension",
            "grpc.health.v1.Health",
            *SERVICES,
        ]
    )


@pytest.mark.parametrize(
    "symbol",
    [
        "openshell.v1.OpenShell",
        "openshell.v1.Sandbox",
        "openshell.v1.SandboxPhase",
        "openshell.datamodel.v1.ObjectMeta",
        "pyopenshell.v1.Extension",
        "google.protobuf.Timestamp",
        *SERVICES,
    ],
)
async def test_describe_gives_files_that_build_a_pool(kit: Kit, symbol: str) -> None:
    (answer,) = await ask(kit, Request(file_containing_symbol=symbol))
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(data)
        for data in answer.file_descriptor_response.file_descriptor_proto
    ]
    pool = descriptor_pool.DescriptorPool()
    waiting = {file.name: file for file in files}
    while waiting:
        file = next(file for file in waiting.values() if not set(file.dependency) & set(waiting))
        pool.Add(waiting.pop(file.name))
    assert pool.FindFileContainingSymbol(symbol).name == files[0].name


@pytest.mark.parametrize(("method", "known"), [("ForwardTcp", True), ("NoSuchCall", False)])
async def test_describe_a_method(kit: Kit, method: str, known: bool) -> None:
    (answer,) = await ask(kit, Request(file_containing_symbol=f"openshell.v1.OpenShell.{method}"))
    assert answer.HasField("file_descriptor_response") is known


async def test_a_file_by_its_name(kit: Kit) -> None:
    (answer,) = await ask(kit, Request(file_by_filename="openshell/v1/openshell.proto"))
    assert answer.file_descriptor_response.file_descriptor_proto


async def test_what_is_not_here_is_an_answer_and_the_stream_goes_on(kit: Kit) -> None:
    answers = await ask(
        kit,
        Request(file_containing_symbol="nobody.Knows"),
        Request(file_containing_symbol="google.protobuf.FileDescriptorSet"),
        Request(file_by_filename="/etc/passwd"),
        Request(file_containing_extension=pb.ExtensionRequest(containing_type="openshell.v1.Sandbox")),
        Request(all_extension_numbers_of_type="nobody.Knows"),
        Request(all_extension_numbers_of_type="openshell.v1.Sandbox"),
        Request(),
    )
    codes = [answer.error_response.error_code for answer in answers]
    assert codes == [GrpcStatus.NOT_FOUND] * 5 + [0, GrpcStatus.INVALID_ARGUMENT]
    assert answers[5].all_extension_numbers_response.base_type_name == "openshell.v1.Sandbox"

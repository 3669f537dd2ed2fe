"""gRPC server reflection, v1 and v1alpha (the same messages), so that `grpcurl list` and `describe` work without files.

Answers come from protobuf's own descriptors: a file is sent with everything that it imports, dependencies first asked
for first sent, as `grpcurl` expects. Files are named as in their `import` lines, not as in this package.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor

from pyopenshell.streams.grpc_server import Call, Handler
from pyopenshell.wire.grpc.reflection.v1 import reflection_pb2 as v1
from pyopenshell.wire.grpc.reflection.v1alpha import reflection_pb2 as v1alpha
from pyopenshell.wire.status import GrpcStatus

METHOD = "ServerReflectionInfo"
#: Both versions; naming them by their descriptors also puts v1alpha into the pool, so that it can be described itself.
SERVICES = tuple(m.DESCRIPTOR.services_by_name["ServerReflection"].full_name for m in (v1, v1alpha))


class ReflectionService:
    """Describes `services` (full names) and what they use; any other symbol of this process stays unknown."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = sorted(services)
        pool = descriptor_pool.Default()
        self._files: dict[str, FileDescriptor] = {}
        for service in self._services:
            self._add(pool.FindServiceByName(service).file)

    def handlers(self) -> dict[str, Handler]:
        """Paths of both versions."""
        return {
            f"/{SERVICES[0]}/{METHOD}": self.info,
            f"/{SERVICES[1]}/{METHOD}": self.info,
        }

    async def info(self, call: Call) -> None:
        """Answer each question in order until the caller has no more."""
        # v1alpha has the same fields with the same numbers: one set of classes reads and writes both.
        while (request := await call.receive(v1.ServerReflectionRequest)) is not None:
            await call.send(self.answer(request))

    def answer(self, request: v1.ServerReflectionRequest) -> v1.ServerReflectionResponse:
        """The response to one question; what is not found is a response with an error in it."""
        response = v1.ServerReflectionResponse(valid_host=request.host, original_request=request)
        match request.WhichOneof("message_request"):
            case "list_services":
                response.list_services_response.service.extend(v1.ServiceResponse(name=name) for name in self._services)
            case "file_by_filename":
                self._put(response, self._files.get(request.file_by_filename), request.file_by_filename)
            case "file_containing_symbol":
                self._put(response, self._containing(request.file_containing_symbol), request.file_containing_symbol)
            case "all_extension_numbers_of_type":
                name = request.all_extension_numbers_of_type
                if self._containing(name) is None:
                    self._put(response, None, name)
                else:  # proto3 has no extensions: the answer is the empty list
                    response.all_extension_numbers_response.base_type_name = name
            case "file_containing_extension":
                self._put(response, None, request.file_containing_extension.containing_type)
            case _:
                response.error_response.error_code = GrpcStatus.INVALID_ARGUMENT
                response.error_response.error_message = "the request asks for nothing"
        return response

    def _put(self, response: v1.ServerReflectionResponse, file: FileDescriptor | None, what: str) -> None:
        if file is None:
            response.error_response.error_code = GrpcStatus.NOT_FOUND
            response.error_response.error_message = f"{what[:200]!r} is not known here"
            return
        response.file_descriptor_response.file_descriptor_proto.extend(
            part.serialized_pb for part in _with_dependencies(file)
        )

    def _containing(self, symbol: str) -> FileDescriptor | None:
        pool = descriptor_pool.Default()
        parent, _, member = symbol.rpartition(".")
        try:
            file = pool.FindFileContainingSymbol(symbol)
        except KeyError:  # protobuf's pools find no methods by that call
            try:
                file = pool.FindServiceByName(parent).methods_by_name[member].containing_service.file
            except KeyError:
                return None
        return self._files.get(file.name)

    def _add(self, file: FileDescriptor) -> None:
        for part in _with_dependencies(file):
            self._files[part.name] = part


def _with_dependencies(file: FileDescriptor) -> list[FileDescriptor]:
    found = {file.name: file}
    waiting = [file]
    while waiting:
        for part in waiting.pop().dependencies:
            if part.name not in found:
                found[part.name] = part
                waiting.append(part)
    return list(found.values())

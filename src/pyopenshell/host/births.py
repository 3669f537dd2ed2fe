"""What a gateway tells of a sandbox's birth, made into what the local driver is told: where the gateway is, is added."""

from __future__ import annotations

from dataclasses import replace

from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.images import Images
from pyopenshell.model import check_name, is_id
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from pyopenshell.wire.sandbox_spec import of_message


def birth_of(message: ext.HostedBirth, remote: RemoteGateway, images: Images, *, new: bool) -> Birth:
    """The birth; `new` ones have their source judged, others run already.

    Raises INVALID for what is no birth, PRECONDITION and NOT_FOUND as `Images.find`.
    """
    if not is_id(message.sandbox_id) or not message.token:
        raise OpenShellError(Code.INVALID, "the gateway's order tells of no sandbox")
    spec = of_message(message.spec)
    spec = replace(spec, source=images.find(spec.source) if new else images.follow(spec.source))
    return Birth(
        sandbox_id=message.sandbox_id,
        name=check_name(message.name),
        spec=spec,
        token=message.token,
        host_key=message.host_key,
        gateway_socket="",
        id_base=message.id_base,
        remote=remote,
    )

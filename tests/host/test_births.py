from __future__ import annotations

from pathlib import Path

import pytest

from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.births import birth_of
from pyopenshell.host.images import Images
from pyopenshell.model import SandboxSpec
from pyopenshell.wire.sandbox_spec import to_message
from tests.support.hosting import hosted

REMOTE = RemoteGateway("gw.example", 17670, "PEM")


def test_a_birth_dials_where_the_host_found_the_gateway(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    spec = SandboxSpec(source=f"dir:{tmp_path}/link", command=("job",), env={"A": "1"})
    message = hosted(spec=to_message(spec), id_base=0x100000)
    birth = birth_of(message, REMOTE, Images([tmp_path]), new=True)
    assert (birth.sandbox_id, birth.name, birth.token, birth.host_key) == (message.sandbox_id, "web", "token", "PEM")
    assert (birth.remote, birth.gateway_socket, birth.id_base, birth.lifetime_gateway) == (REMOTE, "", 0x100000, False)
    assert (birth.spec.source, birth.spec.command, birth.spec.env) == (f"dir:{tmp_path}", ("job",), {"A": "1"})
    with pytest.raises(OpenShellError) as caught:
        birth_of(message, REMOTE, Images(), new=True)
    assert caught.value.code is Code.PRECONDITION
    assert birth_of(message, REMOTE, Images(), new=False).spec.source == f"dir:{tmp_path}"


@pytest.mark.parametrize("wrong", [{"sandbox_id": "../../etc"}, {"token": ""}, {"name": "../x"}])
def test_what_is_no_birth_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(OpenShellError) as caught:
        birth_of(hosted(**wrong), REMOTE, Images(), new=True)
    assert caught.value.code is Code.INVALID

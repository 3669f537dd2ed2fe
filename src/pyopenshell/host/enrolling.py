"""Which host this is: enrolled before, or by the invitation that was given now; and how it is forgotten."""

from __future__ import annotations

from collections.abc import Callable

from pyopenshell.drivers.base import Driver
from pyopenshell.enrol.dialogue import enrol
from pyopenshell.enrol.invitation import Invitation, Invited
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.state import HostFile, HostState
from pyopenshell.streams.proxies import FindProxy, direct


async def enrolled(state: HostState, line: str, name: str, find_proxy: FindProxy = direct) -> HostFile:
    """What `state` holds, or what the invitation `line` makes of this host, called `name` where the line names nobody.

    Raises PRECONDITION where there is neither, CONFLICT where there are both, and as `enrol.dialogue.enrol`.
    """
    known = state.load()
    if not line:
        if known is None:
            raise OpenShellError(
                Code.PRECONDITION,
                "this host is not enrolled at a gateway",
                hint="its admin makes an invitation with 'openshell gateway invite --role host'",
            )
        return known
    if known is not None:
        raise OpenShellError(
            Code.CONFLICT,
            f"this host is enrolled at gateway {known.gateway!r} ({known.addresses[0]}) as {known.name!r}",
            hint="leave the invitation out to go on with that, or forget it with 'openshell-supervisor leave'",
        )
    invitation = Invitation.parse(line)
    return state.enrol(await enrol(invitation, Invited.HOST, name=name, find_proxy=find_proxy), invitation.addresses)


async def leave(state: HostState, make_driver: Callable[[], Driver], *, force: bool) -> list[str]:
    """Forget where this host is enrolled; with `force` its sandboxes are ended and removed first. Their ids.

    Raises PRECONDITION where sandboxes are here and `force` is not given, NOT_FOUND where nothing is enrolled.
    """
    ids = state.sandbox_ids()
    if ids and not force:
        raise OpenShellError(
            Code.PRECONDITION,
            f"{len(ids)} sandboxes are on this host",
            hint="delete them at the gateway first; --force ends them and removes their files",
        )
    if not ids and not force and state.load() is None:
        raise OpenShellError(Code.NOT_FOUND, "this host is not enrolled at a gateway")
    if ids:
        driver = make_driver()
        try:
            for sandbox_id in ids:
                await driver.delete(sandbox_id)
        finally:
            await driver.close()
    state.forget()
    return ids

"""The groups of commands, apart from the commands: finding one must not import its neighbours."""

from __future__ import annotations

import click

from pyopenshell.cli.commands import Group

_HERE = "pyopenshell.cli"


@click.command(
    cls=Group,
    lazy={
        "create": f"{_HERE}.create:create",
        "exec": f"{_HERE}.exec:exec_command",
        "connect": f"{_HERE}.connect:connect",
        "list": f"{_HERE}.sandbox:list_",
        "get": f"{_HERE}.sandbox:get",
        "start": f"{_HERE}.sandbox:start",
        "stop": f"{_HERE}.sandbox:stop",
        "delete": f"{_HERE}.sandbox:delete",
        "ports": f"{_HERE}.ports:ports",
        "logs": f"{_HERE}.logs:logs",
        "watch": f"{_HERE}.logs:watch",
        "ssh-config": f"{_HERE}.ssh:ssh_config",
    },
    example="openshell sandbox create web -- python3 -m http.server\nopenshell sandbox list",
    help="Create, use and remove sandboxes.",
)
def sandbox() -> None:
    pass


@click.command(
    cls=Group,
    lazy={"service": f"{_HERE}.forward:service"},
    example="openshell forward service web --target-port 8000 --local 8080",
    help="Bring ports of a sandbox to this machine.",
)
def forward() -> None:
    pass


@click.command(
    cls=Group,
    name="service",
    lazy={"forward": f"{_HERE}.forward:service"},
    example="openshell service forward web --target-port 8000",
    help="Services of a sandbox.",
)
def service_group() -> None:
    pass


@click.command(
    cls=Group,
    lazy={
        "start": f"{_HERE}.gateway:start",
        "stop": f"{_HERE}.gateway:stop",
        "status": f"{_HERE}.gateway:status",
        "add": f"{_HERE}.add:add",
        "list": f"{_HERE}.gateway:list_",
        "select": f"{_HERE}.gateway:select",
        "remove": f"{_HERE}.gateway:remove",
        "info": f"{_HERE}.gateway:info",
        "invite": f"{_HERE}.enrolment:invite",
        "users": f"{_HERE}.enrolment:users",
        "revoke": f"{_HERE}.enrolment:revoke",
    },
    example="openshell gateway start\nopenshell gateway list",
    help="Start a gateway here, register others, invite people.",
)
def gateway() -> None:
    pass


@click.command(
    cls=Group,
    lazy={
        "create": f"{_HERE}.token:create",
        "list": f"{_HERE}.token:list_",
        "revoke": f"{_HERE}.token:revoke",
    },
    example="openshell token create ci --ttl 7d > token\nopenshell --token-file token whoami",
    help="Make and revoke API tokens.",
)
def token() -> None:
    pass


@click.command(
    cls=Group,
    lazy={
        "list": f"{_HERE}.host:list_",
        "get": f"{_HERE}.host:get",
        "drain": f"{_HERE}.host:drain",
        "remove": f"{_HERE}.host:remove",
        "prune": f"{_HERE}.host:prune",
    },
    example="openshell gateway invite --role host\nopenshell host list",
    help="Machines that run sandboxes for a gateway.",
)
def host() -> None:
    pass

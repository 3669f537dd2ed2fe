"""The real `ssh` and `scp` through the generated configuration, host key verified."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.world import World

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def ssh(world: World, web: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    text = world.run("sandbox", "ssh-config", web).ok().text
    config = tmp_path_factory.mktemp("ssh") / "config"
    config.write_text(text)
    alias = next(line.split()[1] for line in text.splitlines() if line.startswith("Host "))
    return ["ssh", "-F", str(config), "-o", "BatchMode=yes", alias]


def test_the_configuration_is_strict(world: World, web: str) -> None:
    text = world.run("sandbox", "ssh-config", web).ok().text
    for line in ("StrictHostKeyChecking yes", "IdentitiesOnly yes", "UserKnownHostsFile"):
        assert line in text


def test_a_command_and_its_status(world: World, ssh: list[str]) -> None:
    ended = world.command([*ssh, "echo out; echo err >&2; exit 5"])
    assert (ended.status, ended.out, ended.err) == (5, b"out\n", "err\n")


def test_bytes_both_ways(world: World, ssh: list[str]) -> None:
    data = os.urandom(3_000_000)
    assert world.command([*ssh, "cat"], stdin=data).ok().out == data


def test_a_terminal(world: World, ssh: list[str]) -> None:
    ended = world.command([*ssh[:-1], "-tt", ssh[-1], "tty; stty size; exit 3"])
    assert ended.status == 3
    assert b"/dev/pts/" in ended.out


def test_scp_there_and_back(world: World, ssh: list[str], tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "there").write_bytes(data)
    scp = ["scp", "-q", *ssh[1:-1]]
    world.command([*scp, str(tmp_path / "there"), f"{ssh[-1]}:/tmp/scp-test"]).ok()
    world.command([*scp, f"{ssh[-1]}:/tmp/scp-test", str(tmp_path / "back")]).ok()
    assert (tmp_path / "back").read_bytes() == data


def test_another_host_key_is_refused(world: World, web: str, ssh: list[str], tmp_path: Path) -> None:
    """A man in the middle: known_hosts says one key, the server has another, and the config reads only ours."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    alias_of_key = next(
        line.split()[1] for line in Path(ssh[2]).read_text().splitlines() if line.strip().startswith("HostKeyAlias")
    )
    known = tmp_path / "known_hosts"
    known.write_text(f"{alias_of_key} {(tmp_path / 'other.pub').read_text()}")
    ended = world.command([*ssh[:-1], "-o", f"UserKnownHostsFile={known}", ssh[-1], "true"])
    assert ended.status == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in ended.err


def test_another_key_is_refused(world: World, ssh: list[str], tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    config = tmp_path / "config"
    lines = Path(ssh[2]).read_text().splitlines()
    config.write_text(
        "\n".join(f"  IdentityFile {tmp_path / 'other'}" if "IdentityFile" in line else line for line in lines) + "\n"
    )
    ended = world.command(["ssh", "-F", str(config), "-o", "BatchMode=yes", ssh[-1], "true"])
    assert ended.status == 255
    assert "Permission denied" in ended.err


def test_an_unknown_sandbox_is_said(world: World, ssh: list[str]) -> None:
    ended = world.run("ssh-proxy", "nobody-there")
    assert ended.status == 1
    assert "nobody-there" in ended.err

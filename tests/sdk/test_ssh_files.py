"""Keys, known hosts and the configuration block: modes, replacement, and quoting that the real ssh understands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import write_private
from pyopenshell.sdk.paths import Paths
from pyopenshell.sdk.ssh_files import SshFiles, config_block, host_alias, proxy_command
from tests.support.client_gateway import HOST_KEY


@pytest.fixture
def files(paths: Paths) -> SshFiles:
    return SshFiles.of(paths)


def test_one_pair_for_an_installation(files: SshFiles) -> None:
    line = files.ensure_key()
    assert line.startswith("ssh-ed25519 ")
    assert files.ensure_key() == line
    assert files.private_key.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(["ssh-keygen", "-y", "-f", files.private_key], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[:2] == line.split()[:2]


def test_a_lost_public_key_is_made_again_from_the_private_one(files: SshFiles) -> None:
    line = files.ensure_key()
    files.public_key.unlink()
    assert files.ensure_key() == line


@pytest.mark.parametrize("content", [b"", b"rubbish", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_a_private_key_that_is_none(files: SshFiles, content: bytes) -> None:
    write_private(files.private_key, content)
    with pytest.raises(OpenShellError, match="is not a private key") as caught:
        files.ensure_key()
    assert caught.value.code is Code.PRECONDITION
    assert files.private_key.read_bytes() == content


def test_a_private_key_of_another_kind(files: SshFiles) -> None:
    files.private_key.parent.mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", files.private_key], check=True)
    files.public_key.unlink()
    with pytest.raises(OpenShellError, match="not an Ed25519 key"):
        files.ensure_key()


def test_known_hosts_hold_one_line_for_a_host(files: SshFiles) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJ comment"
    files.trust("web.lab.openshell", HOST_KEY)
    files.trust("db.lab.openshell", other)
    assert (
        files.known_hosts.read_text() == f"web.lab.openshell {HOST_KEY}\ndb.lab.openshell {other.rsplit(' ', 1)[0]}\n"
    )
    files.trust("web.lab.openshell", other)
    assert files.known_hosts.read_text().count("web.lab.openshell") == 1
    before = files.known_hosts.stat().st_ino
    files.trust("web.lab.openshell", other)
    assert files.known_hosts.stat().st_ino == before
    assert files.known_hosts.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "key", ["", "ssh-ed25519", "evil AAAA", "ssh-ed25519 \u00e4", "@cert-authority x ssh-ed25519 A"]
)
def test_what_is_no_host_key_is_never_trusted(files: SshFiles, key: str) -> None:
    with pytest.raises(OpenShellError, match="no usable SSH host key") as caught:
        files.trust("web.lab.openshell", key)
    assert caught.value.code is Code.BROKEN
    assert not files.known_hosts.exists()


@pytest.mark.parametrize("name", ["a b", "a\nProxyCommand evil", "$(id)", "a;b", "-oProxyCommand=x", "%h", ""])
def test_names_carry_nothing_into_the_configuration(files: SshFiles, name: str) -> None:
    for sandbox, gateway in ((name, "lab"), ("web", name)):
        with pytest.raises(OpenShellError) as caught:
            config_block(files, ("/bin/openshell",), {}, sandbox, gateway)
        assert caught.value.code is Code.INVALID
        with pytest.raises(OpenShellError):
            host_alias(sandbox, gateway)


def parsed(block: str, directory: Path) -> dict[str, str]:
    """What the real ssh reads out of `block`."""
    path = directory / "ssh_config"
    path.write_text(block)
    shown = subprocess.run(["ssh", "-G", "-F", path, "web.openshell"], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in shown.stdout.splitlines() if " " in line)


@pytest.mark.parametrize("odd", ["plain", "with space", "100%h", "a'b", "$HOME", "semi;colon"])
def test_the_real_ssh_reads_what_was_meant(tmp_path: Path, odd: str) -> None:
    directory = tmp_path / odd
    files = SshFiles.of(Paths(directory, directory, directory))
    program = (str(directory / "openshell"),)
    environ = {"XDG_STATE_HOME": str(directory)}
    read = parsed(config_block(files, program, environ, "web", "lab"), tmp_path)
    assert read["hostname"] == read["hostkeyalias"] == "web.lab.openshell"
    assert (read["user"], read["stricthostkeychecking"], read["identitiesonly"]) == ("sandbox", "true", "yes")
    # ssh -G shows paths before their tokens are expanded.
    assert read["identityfile"].strip('"').replace("%%", "%") == str(files.private_key)
    assert read["userknownhostsfile"].strip('"').replace("%%", "%") == str(files.known_hosts)
    recorder = directory / "openshell"
    recorder.parent.mkdir()
    recorder.write_text(f'#!/bin/sh\nprintf "%s|" "$XDG_STATE_HOME" "$@" > "{tmp_path}/argv"\n')
    recorder.chmod(0o755)
    subprocess.run(["ssh", "-F", tmp_path / "ssh_config", "web.openshell"], capture_output=True, timeout=20)
    assert (tmp_path / "argv").read_text() == f"{directory}|ssh-proxy|--gateway|lab|--|web|"


@pytest.mark.parametrize("odd", ['quo"te', "new\nline", "back\\slash", "${HOME}"])
def test_paths_that_ssh_cannot_hold_are_refused(tmp_path: Path, odd: str) -> None:
    directory = tmp_path / odd
    with pytest.raises(OpenShellError, match="ssh configuration") as caught:
        config_block(SshFiles.of(Paths(directory, directory, directory)), ("/bin/openshell",), {}, "web", "lab")
    assert caught.value.code is Code.INVALID


def test_a_program_path_with_a_line_break_is_refused() -> None:
    with pytest.raises(OpenShellError):
        proxy_command(("/bin/open\nshell",), {}, "web", "lab")

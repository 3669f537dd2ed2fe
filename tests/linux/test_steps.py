"""A machine that forbids a step is told which, and the cure."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pyopenshell.errors import Code
from pyopenshell.linux import steps


def machine(tmp_path: Path, **values: str) -> Path:
    for name, value in values.items():
        file = tmp_path / name.replace("__", "/")
        file.parent.mkdir(exist_ok=True)
        file.write_text(value + "\n")
    return tmp_path


@pytest.mark.parametrize("step", [steps.USER_NAMESPACE, steps.ID_MAPS, steps.NAMESPACES, steps.MOUNTS, steps.LOOPBACK])
def test_ubuntu_is_given_its_profile(tmp_path: Path, step: str) -> None:
    sysctl = machine(tmp_path, kernel__apparmor_restrict_unprivileged_userns="1")
    cure = steps.cure(step, errno.EPERM, sysctl)
    assert "apparmor_parser -r /etc/apparmor.d/openshell" in cure
    assert "userns," in cure
    assert "kernel.apparmor_restrict_unprivileged_userns" in cure


def test_the_profile_is_for_the_interpreter_that_runs() -> None:
    assert 'profile openshell "/opt/a b/python3"' in steps.apparmor_cure("/opt/a b/python3")


def test_debians_switch_is_named(tmp_path: Path) -> None:
    sysctl = machine(tmp_path, kernel__unprivileged_userns_clone="0")
    assert "kernel.unprivileged_userns_clone=1" in steps.cure(steps.USER_NAMESPACE, errno.EPERM, sysctl)


def test_the_number_of_namespaces_is_named(tmp_path: Path) -> None:
    assert "user.max_user_namespaces" in steps.cure(steps.USER_NAMESPACE, errno.ENOSPC, tmp_path)
    sysctl = machine(tmp_path, user__max_user_namespaces="0")
    assert "user.max_user_namespaces" in steps.cure(steps.USER_NAMESPACE, errno.EPERM, sysctl)


@pytest.mark.parametrize(
    ("step", "number", "words"),
    [
        (steps.USER_NAMESPACE, errno.EPERM, "chroot"),
        (steps.USER_NAMESPACE, errno.EPERM, "seccomp=unconfined"),
        (steps.USER_NAMESPACE, errno.EINVAL, "CONFIG_USER_NS"),
        (steps.PROC, errno.EPERM, "systempaths=unconfined"),
        (steps.NAMESPACES, errno.EPERM, "seccomp=unconfined"),
        (steps.MOUNTS, errno.EINVAL, "pivot_root"),
        (steps.MOUNTS, errno.ENOSYS, "5.15"),
        (steps.SOURCES, errno.ENOSYS, "5.15"),
        (steps.OVERLAY, errno.EINVAL, "ext4"),
        (steps.DEVPTS, errno.ENOSPC, "full"),
    ],
)
def test_each_refusal_has_its_cure(tmp_path: Path, step: str, number: int, words: str) -> None:
    assert words in steps.cure(step, number, tmp_path)


def test_what_is_unknown_has_no_cure(tmp_path: Path) -> None:
    assert steps.cure(steps.DEVPTS, errno.EIO, tmp_path) == ""


def test_an_error_in_a_step_names_step_call_and_file() -> None:
    with (
        pytest.raises(
            steps.SetupFailed, match="this machine cannot make a sandbox: mounts: mount: No such file"
        ) as caught,
        steps.step(steps.MOUNTS),
    ):
        raise OSError(errno.ENOENT, "mount: No such file or directory")
    assert (caught.value.code, caught.value.step, caught.value.errno) == (Code.PRECONDITION, steps.MOUNTS, errno.ENOENT)
    with pytest.raises(steps.SetupFailed, match="'/no/such'"), steps.step(steps.ETC):
        os.stat("/no/such")

from __future__ import annotations

import pytest

from pyopenshell.linux.passwd import parse_users
from pyopenshell.supervisor import init_env
from pyopenshell.supervisor.init_env import candidates, environment, login_argv, login_shell


def test_the_command_s_own_wins_over_the_sandbox_s_over_the_defaults() -> None:
    made = environment({"HOME": "/h", "A": "s", "TERM": "dumb"}, {"A": "c"}, shell="/bin/zsh", terminal=True)
    assert made == {
        "PATH": init_env.DEFAULT_PATH,
        "HOME": "/h",
        "USER": "sandbox",
        "LOGNAME": "sandbox",
        "SHELL": "/bin/zsh",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "A": "c",
    }


def test_only_a_terminal_has_a_type() -> None:
    assert "TERM" not in environment({}, {}, shell="/bin/sh", terminal=False)
    assert environment({}, {}, shell="/bin/sh", terminal=True)["TERM"] == "xterm-256color"


@pytest.mark.parametrize(
    ("text", "shell"),
    [
        ("root:x:0:0::/root:/bin/bash\nsandbox:x:1000:1000::/sandbox:/bin/zsh\n", "/bin/zsh"),
        ("sandbox:x:1000:1000::/sandbox:\n", "/bin/sh"),
        ("sandbox:x:1000:1000::/sandbox:zsh\n", "/bin/sh"),
        ("root:x:0:0::/root:/bin/bash\n", "/bin/sh"),
        ("", "/bin/sh"),
    ],
)
def test_the_login_shell(monkeypatch: pytest.MonkeyPatch, text: str, shell: str) -> None:
    monkeypatch.setattr(init_env.passwd, "read_users", lambda: parse_users(text))
    assert login_shell() == shell


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/dash", "/usr/bin/bash", "/bin/zsh", "/bin/ksh"])
def test_known_shells_start_the_command(shell: str) -> None:
    name = shell.rsplit("/", 1)[1]
    assert login_argv(["a", "b c"], shell) == [shell, "-lc", 'exec "$@"', name, "a", "b c"]


def test_busybox_is_asked_for_its_shell() -> None:
    assert login_argv(["a"], "/bin/busybox") == ["/bin/busybox", "sh", "-lc", 'exec "$@"', "busybox", "a"]


@pytest.mark.parametrize("shell", ["/usr/bin/fish", "/usr/bin/nu", "/bin/false"])
def test_other_shells_are_left_out(shell: str) -> None:
    assert login_argv(["a"], shell) == ["a"]


def test_where_a_program_may_be() -> None:
    assert candidates("ls", "/a:/b") == ["/a/ls", "/b/ls"]
    assert candidates("ls", "/a::") == ["/a/ls", "./ls", "./ls"]
    assert candidates("./ls", "/a") == ["./ls"]

"""passwd(5) as text, and text that is none."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.linux import passwd
from pyopenshell.linux.passwd import User

ROOT = User("root", 0, 0, "/root", "/bin/bash")


def test_a_user_is_read() -> None:
    assert passwd.parse_users("root:x:0:0:root,,,:/root:/bin/bash\n") == [ROOT]


def test_missing_home_and_shell_have_the_defaults_of_login() -> None:
    assert passwd.parse_users("a:x:1:2:::") == [User("a", 1, 2, "/", "/bin/sh")]


def test_lines_that_do_not_parse_are_skipped() -> None:
    bad = ("+::::::", ":x:1:1::/:", "a:x:-1:1::/:", "b:x:4294967295:1::/:", "c:x:1:1::/", "# d", "e:x:²:1::/:")
    text = "\n".join((*bad, "root:x:0:0:r:/root:/bin/bash"))
    assert passwd.parse_users(text) == [ROOT]


def test_a_user_is_found_by_name_before_number() -> None:
    users = passwd.parse_users("a:x:1:1::/a:\n1:x:2:2::/one:\n")
    assert [getattr(passwd.find_user(users, name), "uid", None) for name in ("a", "1", "2", "b", "")] == [
        1,
        2,
        2,
        None,
        None,
    ]


def test_the_first_line_of_a_group_counts() -> None:
    assert passwd.parse_groups("tty:x:5:\ntty:x:6:\nbad\nx:y:z:\n") == {"tty": 5}


def test_the_largest_subordinate_entry_counts(tmp_path: Path) -> None:
    file = tmp_path / "subuid"
    file.write_text("me:1:10\nme:100000:65536\nother:5:99999\nme:7\n")
    assert passwd.read_subordinate(file, {"me"}) == (100000, 65536)
    assert passwd.read_subordinate(file, {"nobody"}) is None


def test_everybodys_ranges(tmp_path: Path) -> None:
    assert passwd.subordinate_ranges(tmp_path) == []
    (tmp_path / "subuid").write_text("me:1:10\nyou:100000:65536\nbad\n:x:y\n")
    (tmp_path / "subgid").write_text("me:7:8\n")
    assert passwd.subordinate_ranges(tmp_path) == [(1, 10), (100000, 65536), (7, 8)]


def test_at_most_one_mebibyte_is_read_and_no_half_line(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    line = "u:x:1:1:" + "c" * 90 + ":/:\n"
    file.write_text(line * 20000)
    text = passwd.read_text(file)
    assert passwd.TEXT_MAX - len(line) < len(text) <= passwd.TEXT_MAX
    assert text.endswith(line)
    file.write_text("x" * passwd.TEXT_MAX)
    assert len(passwd.read_text(file)) == passwd.TEXT_MAX
    file.write_text("x" * (passwd.TEXT_MAX + 1))
    assert passwd.read_text(file) == ""


def test_what_is_no_regular_file_is_no_text_and_never_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("fifo", "link", "missing", "."):
        assert passwd.read_text(tmp_path / name) == ""


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    for user in passwd.parse_users(text):
        assert 0 <= user.uid <= 2**32 - 2
    passwd.parse_groups(text)

"""A made /etc."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyopenshell.linux import etc, passwd
from pyopenshell.linux.ids import range_ids

IDS = range_ids(0x80000)


def test_the_hosts_view_has_three_users_and_files_alone() -> None:
    files = etc.host_view_files(IDS, "box", "/bin/bash")
    assert [user.name for user in passwd.parse_users(files["passwd"])] == ["root", "sandbox", "nobody"]
    assert passwd.parse_groups(files["group"]) == {"root": 0, "tty": 5, "sandbox": 1000, "nogroup": 65534}
    assert all(line.endswith(": files") for line in files["nsswitch.conf"].splitlines())
    assert "nameserver" not in files["resolv.conf"]
    assert set(files) == etc.MADE


def test_a_tree_gets_a_user_only_where_it_has_none() -> None:
    own = etc.tree_files(IDS, "box", "sandbox:x:1000:1000::/:/bin/sh\n", "sandbox:x:1000:\n", "/bin/sh")
    assert set(own) == {"hostname", "hosts", "resolv.conf"}
    made = etc.tree_files(IDS, "box", "root:x:0:0::/:", "", "/bin/sh")
    assert made["passwd"] == "root:x:0:0::/:\nsandbox:x:1000:1000:sandbox:/sandbox:/bin/sh\n"
    assert made["group"] == "sandbox:x:1000:\n"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", (1000, 1000)),
        ("node:x:1000:1000::/:\n", (1001, 1001)),
        ("a:x:1:1001::/:\nnode:x:1000:1000::/:\n", (1002, 1002)),
        ("sandbox:x:7:8::/:\n", (7, 8)),
        ("sandbox:x:0:0::/:\n", (1000, 1000)),  # an image cannot make its user root
        ("sandbox:x:65534:65534::/:\n", (1000, 1000)),
    ],
)
def test_the_user_of_an_image_has_its_own_id_or_a_free_one(text: str, ids: tuple[int, int]) -> None:
    assert etc.ids_in_tree(text) == ids


def test_the_sandboxs_ids_are_the_images_own(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert etc.sandbox_ids(str(tmp_path)) == (1000, 1000)
    (tmp_path / "etc/passwd").write_text("sandbox:x:501:502::/:\n")
    assert etc.sandbox_ids(str(tmp_path)) == (501, 502)

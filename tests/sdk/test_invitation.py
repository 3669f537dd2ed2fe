"""What looks at a line loads neither TLS nor keys nor messages."""

from __future__ import annotations

import subprocess
import sys

from pyopenshell.enrol import invitation as enrol
from pyopenshell.sdk import invitation


def test_the_words_are_those_of_enrol() -> None:
    assert all(getattr(invitation, name) is getattr(enrol, name) for name in invitation.__all__)


def test_it_is_light() -> None:
    program = (
        "import sys, pyopenshell.sdk.invitation; print({'ssl', 'cryptography', 'google.protobuf'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"

"""The words of an invitation, for a command line that reads or shows one: `enrol/invitation.py` says how the line is made.

Apart from `enrolment.py`, because what looks at a line need not load TLS, keys and messages.
"""

from __future__ import annotations

from pyopenshell.enrol.invitation import Address, Invitation, Invited, looks_like_line

__all__ = ["Address", "Invitation", "Invited", "looks_like_line"]

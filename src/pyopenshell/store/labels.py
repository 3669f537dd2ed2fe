"""Label selectors: `k=v,k2=v2`, all of which must hold. Nothing else of the Kubernetes grammar is on this wire."""

from __future__ import annotations

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import check_label

SELECTOR_MAX = 4096  # bytes of text; more is not a selector that a person wrote


def parse_selector(text: str) -> dict[str, str]:
    """The pairs of `text`; empty text selects everything. Raises INVALID for another shape or one key with two values."""
    if len(text) > SELECTOR_MAX:
        raise OpenShellError(Code.INVALID, f"the label selector is over the limit of {SELECTOR_MAX} characters")
    pairs: dict[str, str] = {}
    for part in text.split(",") if text.strip(" ") else ():
        name, equals, value = part.strip(" ").partition("=")
        if not equals:
            raise OpenShellError(
                Code.INVALID,
                f"label selector {text[:80]!r} is not valid",
                hint="write k=v, several with commas: k=v,k2=v2",
            )
        check_label(name, value)
        if pairs.setdefault(name, value) != value:
            raise OpenShellError(Code.INVALID, f"label selector {text[:80]!r} asks two values of {name!r}")
    return pairs

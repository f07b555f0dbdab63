"""How many examples a property is tried with."""

from __future__ import annotations

import os

#: ``PROFILEMESH_FEWER_EXAMPLES=5`` tries a fifth of them: for a second run of the same tests on other libraries.
_DIVISOR = int(os.environ.get("PROFILEMESH_FEWER_EXAMPLES", "1"))


def examples(number: int) -> int:
    """``number``, or the share of it that is asked for, but never fewer than 5."""
    return max(number // _DIVISOR, min(number, 5))

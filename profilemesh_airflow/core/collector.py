"""The garbage collector, out of the way of work that makes many objects."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def many_objects() -> Iterator[None]:
    """Pause the garbage collector: thousands of objects are made, none is garbage, and it would walk all, often."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            _leave_alone()
            gc.enable()


def _leave_alone() -> None:
    """Have the collector take what was made for old at once, as it otherwise would after one walk through all of it.

    Thawing makes everything old; where somebody has frozen objects of theirs, that would undo it.
    """
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()

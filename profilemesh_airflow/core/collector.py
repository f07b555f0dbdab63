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
            gc.enable()

from __future__ import annotations

from tests.operators.conftest import shop

__all__ = ["shop"]

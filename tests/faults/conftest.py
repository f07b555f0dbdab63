"""Workers that can be killed, and shops for them to profile."""

from __future__ import annotations

import pytest

from tests.faults.scene import Workers


@pytest.fixture(scope="module")
def workers():
    workers = Workers(4)
    yield workers
    workers.close()

"""Tests of what not every release of Airflow can do."""

from __future__ import annotations

import pytest


def needs(*capabilities):
    """Skip a test where the installed Airflow lacks something that it is about."""
    missing = [capability.name for capability in capabilities if not capability.available]
    return pytest.mark.skipif(bool(missing), reason=f"this Airflow has no {', '.join(missing)}")


def lacks(capability):
    """Skip a test where the installed Airflow has something whose absence it is about."""
    return pytest.mark.skipif(capability.available, reason=f"this Airflow has {capability.name}")

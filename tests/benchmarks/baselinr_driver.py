"""Profile one table with baselinr, and print as JSON what that took. Runs in baselinr's own environment, not in ours.

python baselinr_driver.py SOURCE TABLE    (SOURCE is baselinr's own section of that name, as JSON)
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time

from baselinr.config.schema import BaselinrConfig
from baselinr.profiling.core import ProfileEngine
from spent import spent
from sqlalchemy import event
from sqlalchemy.engine import Engine

#: What both compute; by default it computes more.
METRICS = [
    "count",
    "null_count",
    "null_ratio",
    "distinct_count",
    "unique_ratio",
    "min",
    "max",
    "mean",
    "stddev",
    "histogram",
]


class Deviation:
    """SQLite has no `stddev`, and without it all its columns of numbers fail."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def step(self, value: float | None) -> None:
        if value is not None:
            self.count += 1
            difference = value - self.mean
            self.mean += difference / self.count
            self.squares += difference * (value - self.mean)

    def finalize(self) -> float | None:
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else None


def main() -> None:
    logging.disable(logging.CRITICAL)
    source, table = json.loads(sys.argv[1]), sys.argv[2]
    schema = {} if source["type"] == "sqlite" else {"schema": "public"}
    config = BaselinrConfig.model_validate(
        {
            "environment": "development",
            "source": source,
            "storage": {"connection": {"type": "sqlite", "database": "unused", "filepath": "/nonexistent"}},
            "profiling": {"tables": [{"table": table, **schema}], "metrics": METRICS, "enable_enrichment": False},
        }
    )
    queries = 0

    @event.listens_for(Engine, "before_cursor_execute")
    def count(*_: object) -> None:
        nonlocal queries
        queries += 1

    @event.listens_for(Engine, "connect")
    def connect(connection: object, _: object) -> None:
        if source["type"] == "sqlite":
            connection.create_aggregate("stddev", 1, Deviation)

    started = time.perf_counter()
    (result,) = ProfileEngine(config).profile()
    seconds = time.perf_counter() - started
    failed = [column["column_name"] for column in result.columns if "error" in column["metrics"]]
    print(json.dumps({"seconds": seconds, "queries": queries, "failed": failed, **spent()}))


if __name__ == "__main__":
    main()

"""What this process has spent so far. Imports nothing of ours: other environments use it too."""

from __future__ import annotations

import os
import re
from pathlib import Path
from time import process_time

_PEAK = re.compile(r"VmHWM:\s*(\d+) kB")


def spent() -> dict[str, float]:
    """CPU seconds, and the peak of resident memory in MB (that of ``getrusage`` would include the parent's).

    Both are added for processes that the main thread started and that still run.
    """
    others = [Path("/proc") / pid for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    ticks = sum(sum(map(int, (other / "stat").read_text().rpartition(")")[2].split()[11:13])) for other in others)
    return {
        "client_cpu": process_time() + ticks / os.sysconf("SC_CLK_TCK"),
        "client_mb": sum(map(_peak, [Path("/proc/self"), *others])),
    }


def _peak(process: Path) -> float:
    peak = _PEAK.search((process / "status").read_text())
    return int(peak.group(1)) / 1024 if peak else 0.0

"""What each release of Airflow can do, as it was found in the matrix: a file a release, and the table made of them.

`python -m tests.compat.support --probe` writes the file of the installed release, `--render` the table.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROBES = ROOT / "docs" / "support"
TABLE = ROOT / "docs" / "support.md"

_BEGIN, _END = "<!-- made of docs/support/*.json by `make support` -->", "<!-- end of what was made -->"


def probe() -> dict[str, Any]:
    """What the installed Airflow can do."""
    from profilemesh_airflow.compat.capabilities import CAPABILITIES

    return {
        "airflow": version("apache-airflow"),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "sqlalchemy": ".".join(version("SQLAlchemy").split(".")[:2]),
        "capabilities": {capability.name: capability.available for capability in CAPABILITIES},
    }


def recorded(release: str) -> dict[str, Any] | None:
    """What was found on a release when it was last written down."""
    path = PROBES / f"{release}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def rendered() -> str:
    """The page, with the tables as they should be."""
    before, rest = TABLE.read_text(encoding="utf-8").split(_BEGIN)
    after = rest.split(_END)[1]
    return f"{before}{_BEGIN}\n\n{_tables()}\n\n{_END}{after}"


def _tables() -> str:
    from profilemesh_airflow.compat.capabilities import CAPABILITIES

    probes = sorted(
        (json.loads(path.read_text(encoding="utf-8")) for path in PROBES.glob("*.json")),
        key=lambda found: [int(part) for part in found["airflow"].split(".")],
    )
    releases = [
        ["Airflow", *(found["airflow"] for found in probes)],
        ["Python", *(found["python"] for found in probes)],
        ["SQLAlchemy", *(found["sqlalchemy"] for found in probes)],
    ]
    for capability in CAPABILITIES:
        releases.append(
            [capability.name, *("yes" if found["capabilities"][capability.name] else "-" for found in probes)]
        )
    meanings = [["", "since", "where it is there", "where it is not"]]
    meanings += [[item.name, item.since, item.meaning, item.without] for item in CAPABILITIES]
    return f"{_table(releases)}\n\n{_table(meanings)}"


def _table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def main() -> None:
    """Write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probe", action="store_true", help="write docs/support/<release>.json")
    parser.add_argument("--render", action="store_true", help="write the tables in docs/support.md")
    asked = parser.parse_args()
    if asked.probe:
        found = probe()
        PROBES.mkdir(exist_ok=True)
        (PROBES / f"{found['airflow']}.json").write_text(f"{json.dumps(found, indent=2)}\n", encoding="utf-8")
    if asked.render:
        TABLE.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    main()

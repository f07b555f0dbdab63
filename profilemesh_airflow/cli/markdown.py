"""Markdown, as GitHub and GitLab show it. A name from a database cannot steer the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from profilemesh_airflow.cli.grid import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&@!])")
_FENCES = re.compile(r"`+")


def prose(text: str) -> str:
    """``text`` as it is, on one line: no character of it is markup, a link or a mention of somebody."""
    return _SPECIAL.sub(r"\\\1", printable(text)).replace("\\@", "@\u200b")


def code(text: str) -> str:
    """``text`` in a fixed font; also inside a table."""
    shown = printable(text)
    fence = "`" * (1 + max((len(run) for run in _FENCES.findall(shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}".replace("|", "\\|")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown already."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

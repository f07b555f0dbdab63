"""``${VAR}`` and ``${VAR:default}`` in the values of a configuration file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<default>(?:(?!\$\{)[^}])*))?\}"
    r"|(?P<malformed>\$\{)"
)


def expand(text: str, environ: Mapping[str, str]) -> str:
    """``text`` with its references replaced; ``$${`` stands for a literal ``${``.

    A variable that is set to nothing is set: its default does not apply. What is put in is not expanded again.

    :raises ValueError: a variable without a default is not set, or a reference is malformed; never shows a value.
    """

    def replacement(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "${"
        if found["malformed"]:
            raise ValueError("'${' begins no ${VAR} or ${VAR:default}; write '$${' for the two characters themselves")
        value = environ.get(found["name"], found["default"])
        if value is None:
            raise ValueError(f"environment variable {found['name']} is not set; set it, or write ${{VAR:default}}")
        return value

    return _REFERENCE.sub(replacement, text)

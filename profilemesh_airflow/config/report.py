"""Collecting what is wrong with a configuration, each with its place: all errors at once, one a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from profilemesh_airflow.config.base import show
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from profilemesh_airflow.config.document import Document
    from profilemesh_airflow.config.yaml_text import KeyPath

_SECRET = re.compile(r"password|passwd|passphrase|token|secret|credential|webhook|.key|key.", re.IGNORECASE)

#: Mappings whose values may all be secret.
_SECRET_MAPPINGS = ("connector_overrides", "extra_params", "params")


def is_secret(path: KeyPath) -> bool:
    """Whether the value under these keys must not be shown."""
    names = [step for step in path if isinstance(step, str)]
    return any(name in _SECRET_MAPPINGS or _SECRET.search(name) for name in names)


def show_at(path: KeyPath, value: object) -> str:
    """:func:`show`, but a secret is masked."""
    return "the value (not shown)" if is_secret(path) else show(value)


def spell(path: KeyPath) -> str:
    """A path of keys as a person writes it: ``profiling.tables[3].table``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


class Report:
    """The errors and warnings of one configuration.

    :param name: the file.
    :param document: its text, for the lines.
    """

    def __init__(self, name: str, document: Document) -> None:
        self._name = name
        self._document = document
        self._errors: dict[KeyPath, list[str]] = {}
        self._warnings: list[tuple[int, str]] = []
        #: Values that an environment variable has given, by path.
        self.variables: dict[KeyPath, str] = {}

    def error(self, path: KeyPath, message: str) -> None:
        """Note an error. What is found later at the same path or below follows from this one, and is not noted."""
        if not any(path[:length] in self._errors for length in range(len(path) + 1)):
            self._errors[path] = [message]
        return

    def warn(self, path: KeyPath, message: str) -> None:
        """Note a warning."""
        self._warnings.append((self.line(path) or 0, f"{self.place(path)}: {message}"))

    def line(self, path: KeyPath) -> int | None:
        """The line of the file that ``path`` stands on."""
        return self._document.line(path)

    def place(self, path: KeyPath) -> str:
        """File, line and keys of a value; the variable instead of file and line where one has given it."""
        keys = spell(path)
        for length in range(len(path), 0, -1):
            if path[:length] in self.variables:
                return f"{self.variables[path[:length]]}: {keys}"
        line = self.line(path)
        file = self._name if line is None else f"{self._name}:{line}"
        return f"{file}: {keys}" if keys else file

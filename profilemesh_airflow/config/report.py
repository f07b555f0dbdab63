"""Collecting what is wrong with a configuration, each with its place: all errors at once, one a line."""

from __future__ import annotations

import re
from operator import itemgetter
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
        self._errors: dict[KeyPath, str] = {}
        self._warnings: list[tuple[int, str]] = []
        #: The environment variables that have given a value, by its path.
        self.variables: dict[KeyPath, str] = {}

    def error(self, path: KeyPath, message: str) -> None:
        """Note an error. One that is found later at the same path or below follows from it, and is not noted."""
        if not any(path[:length] in self._errors for length in range(len(path) + 1)):
            self._errors[path] = message

    def warn(self, path: KeyPath, message: str) -> None:
        """Note a warning."""
        self._warnings.append((self._document.line(path) or 0, f"{self._place(path)}: {message}"))

    def line_of(self, path: KeyPath) -> str:
        """`` on line N``; nothing where the value is not in the file."""
        line = None if self._variable(path) else self._document.line(path)
        return f" on line {line}" if line else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings, in the order of the file."""
        return tuple(text for _, text in sorted(self._warnings, key=itemgetter(0)))

    @property
    def has_errors(self) -> bool:
        """Whether an error was noted."""
        return bool(self._errors)

    def failure(self) -> ConfigError:
        """All errors as one: a line each, in the order of the file, those of variables last."""
        found = sorted(self._errors.items(), key=lambda error: self._order(error[0]))
        return ConfigError("\n".join(f"{self._place(path)}: {message}" for path, message in found))

    def _order(self, path: KeyPath) -> tuple[bool, int]:
        return self._variable(path) is not None, self._document.line(path) or 0

    def _variable(self, path: KeyPath) -> str | None:
        """The environment variable that has given the value, or one around it."""
        if not self.variables:
            return None
        around = (path[:length] for length in range(len(path), 0, -1))
        return next((self.variables[outer] for outer in around if outer in self.variables), None)

    def _place(self, path: KeyPath) -> str:
        keys, variable = spell(path), self._variable(path)
        line = self._document.line(path)
        where = variable or (self._name if line is None else f"{self._name}:{line}")
        return f"{where}: {keys}" if keys else where

"""The models of a dbt project, and the selectors by which some of them are meant."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[["Model"], bool]


@dataclass(frozen=True)
class Model:
    """A model, seed or snapshot, and the table or view that dbt makes of it.

    :param path: of its file, from the project's directory.
    :param materialized: ``table``, ``view``, ``incremental``, ...
    """

    name: str
    package: str
    path: str
    tags: frozenset[str]
    materialized: str
    kind: str
    schema: str
    table: str

    @property
    def relation(self) -> tuple[str, str]:
        """Schema and table such that case does not count: dbt leaves it to the database."""
        return self.schema.casefold(), self.table.casefold()


def is_ref(ref: str) -> Rule:
    """The rule for ``model`` or ``package.model``, as in ``ref()``."""
    package, _, name = ref.rpartition(".")
    return lambda model: model.name == name and package in ("", model.package)


def parse_selector(text: str) -> Rule:
    """The rule for a selector of dbt's command line, without graphs.

    A blank (or, as baselinr writes it, a plus between two of them) is "or", a comma is "and".

    :raises ValueError: it says what cannot be answered here.
    """
    unions = [part for word in text.split() for part in _united(word, text)]
    if not unions:
        raise ValueError(f"{text!r} selects nothing")
    rules = [[_parse_method(part, text) for part in union.split(",")] for union in unions]
    return lambda model: any(all(rule(model) for rule in every) for every in rules)


def _united(word: str, text: str) -> list[str]:
    if word == "+":
        return []
    parts = word.split("+")
    if "@" in word or any(not part or part.isdigit() for part in parts[:: max(len(parts) - 1, 1)]):
        raise ValueError(f"{text!r} follows dbt's graph, which is not supported here; use names, tag: or path:")
    return parts


def _parse_method(part: str, text: str) -> Rule:
    method, colon, value = part.partition(":")
    if not colon:
        method, value = ("path" if "/" in part else "name"), part
    rule = _METHODS.get(method)
    if rule is None or not value:
        known = ", ".join(f"{name}:" for name in _METHODS)
        raise ValueError(f"{text!r} has {part!r}, which is not supported here; use a name or one of {known}")
    return rule(value)


def _in_path(value: str) -> Rule:
    prefix = f"{value.rstrip('/')}/"
    return lambda model: model.path == value or model.path.startswith(prefix) or fnmatchcase(model.path, value)


_METHODS: dict[str, Callable[[str], Rule]] = {
    "name": lambda value: lambda model: fnmatchcase(model.name, value),
    "tag": lambda value: lambda model: any(fnmatchcase(tag, value) for tag in model.tags),
    "path": _in_path,
    "package": lambda value: lambda model: fnmatchcase(model.package, value),
    "resource_type": lambda value: lambda model: model.kind == value,
    "config.materialized": lambda value: lambda model: model.materialized == value,
    "materialized": lambda value: lambda model: model.materialized == value,
}

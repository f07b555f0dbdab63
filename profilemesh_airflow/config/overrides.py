"""``PROFILEMESH_SOURCE__HOST=...``: values of the environment in place of the file's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.config.shapes import ANY, shape_of, unknown_key
from profilemesh_airflow.config.yaml_text import YamlError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from profilemesh_airflow.config.base import Section
    from profilemesh_airflow.config.report import Report
    from profilemesh_airflow.config.shapes import Shape
    from profilemesh_airflow.config.yaml_text import KeyPath

PREFIX = "PROFILEMESH_"
SEPARATOR = "__"


class _NotAppliedError(Exception):
    """An override does not fit the configuration; ``harmless`` if that is worth no more than a warning."""

    def __init__(self, path: KeyPath, message: str, *, harmless: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.harmless = harmless


def apply_overrides(
    data: Mapping[str, Any], section: type[Section], environ: Mapping[str, str], report: Report
) -> dict[str, Any]:
    """``data`` with the overrides of the environment put in; ``data`` itself is left as it is.

    ``__`` separates keys, case does not matter, a number is a position in a list (the next free one appends). A value
    is text; one for a list or a mapping is YAML. A variable without ``__`` counts only if it names a single value at
    the top, since other tools use the prefix too.

    :param section: the model of ``data``.
    :param report: takes errors and warnings, and which variable gave which value.
    """
    result: Any = dict(data)
    top = shape_of(section)
    for variable, steps in _overrides(environ):
        if len(steps) == 1 and _is_no_single_value(top.child(steps[0])):
            continue
        override = _Override(variable, environ[variable], report)
        try:
            result = override.put(result, top, steps, ())
        except _NotAppliedError as reason:
            report.variables[reason.path] = variable
            (report.warn if reason.harmless else report.error)(reason.path, str(reason))
    return result  # type: ignore[no-any-return]


def _overrides(environ: Mapping[str, str]) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Variables and their keys: outer before inner, and list positions in the order of their numbers."""
    found = (
        (variable, tuple(variable[len(PREFIX) :].lower().split(SEPARATOR)))
        for variable in environ
        if variable.upper().startswith(PREFIX)
    )
    return sorted(found, key=lambda one: [(int(step), step) if _is_position(step) else (-1, step) for step in one[1]])


def _is_no_single_value(shape: Shape | None) -> bool:
    return shape is None or shape.holds_values


def _is_position(step: str) -> bool:
    return step.isascii() and step.isdigit()


class _Override:
    def __init__(self, variable: str, text: str, report: Report) -> None:
        self._variable = variable
        self._text = text
        self._report = report

    def put(self, value: Any, shape: Shape, steps: tuple[str, ...], path: KeyPath) -> Any:
        """A copy of ``value`` in which what the steps lead to is the text of the variable."""
        if not steps:
            return self._leaf(shape, path)
        if shape.kind == "list" or (shape.kind == "any" and isinstance(value, list)):
            return self._in_list(value, shape, steps, path)
        return self._in_mapping(value, shape, steps, path)

    def _leaf(self, shape: Shape, path: KeyPath) -> Any:
        self._report.variables[path] = self._variable
        if not shape.holds_values:
            return self._text
        try:
            return read_yaml(self._text).data
        except YamlError:
            kind = "[a, b]" if shape.kind == "list" else "{a: 1, b: 2}"
            raise _NotAppliedError(path, f"is not a list or a mapping as YAML writes it, such as {kind}") from None

    def _in_list(self, value: Any, shape: Shape, steps: tuple[str, ...], path: KeyPath) -> list[Any]:
        if not _is_position(steps[0]):
            raise _NotAppliedError((*path, steps[0]), "is in a list; give the position of an entry, counted from 0")
        position = int(steps[0])
        inner = (*path, position)
        if value is not None and not isinstance(value, list):
            raise _NotAppliedError(inner, "cannot be set, since the file has no list here")
        items = list(value or ())
        if position > len(items):
            raise _NotAppliedError(inner, f"is beyond the end of the list; the next free position is {len(items)}")
        old = items[position] if position < len(items) else None
        items[position : position + 1] = [self.put(old, shape.item or ANY, steps[1:], inner)]
        return items

    def _in_mapping(self, value: Any, shape: Shape, steps: tuple[str, ...], path: KeyPath) -> dict[Any, Any]:
        key = steps[0]
        if shape.section is None and isinstance(value, dict):
            key = next((name for name in value if str(name).lower() == key), key)
        inner = (*path, key)
        below = shape.child(key)
        if below is None:
            message = (
                unknown_key(shape.section, key, top=not path) if shape.section else "has no keys below it, ignored"
            )
            raise _NotAppliedError(inner, message, harmless=True)
        if value is not None and not isinstance(value, dict):
            raise _NotAppliedError(inner, "cannot be set, since the file has no mapping here")
        old = (value or {}).get(key)
        return {**(value or {}), key: self.put(old, below, steps[1:], inner)}

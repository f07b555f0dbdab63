"""From what the file says to what the models take: references replaced, spellings kept, foreign keys set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profilemesh_airflow.config.base import show
from profilemesh_airflow.config.interpolation import expand
from profilemesh_airflow.config.shapes import unknown_key
from profilemesh_airflow.config.yaml_text import YamlError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.config.document import Document
    from profilemesh_airflow.config.report import Report
    from profilemesh_airflow.config.shapes import Shape
    from profilemesh_airflow.config.yaml_text import KeyPath

#: Stands for a list entry that is left out.
_LEFT_OUT = object()


class Preparation:
    """One walk through a configuration.

    Replaces ``${VAR}``; gives text keys the file's own spelling (``0123``, where YAML reads 83); drops nulls, so that a
    null is the default; warns of unknown keys, and of what only the successor of the format supports, and drops both.

    :param document: the file.
    :param environ: the variables.
    :param report: takes errors and warnings.
    """

    def __init__(self, document: Document, environ: Mapping[str, str], report: Report) -> None:
        self._document = document
        self._environ = environ
        self._report = report
        self._whole: Mapping[str, Any] = {}
        self._kept: dict[KeyPath, list[int]] = {}
        self._left_out: dict[KeyPath, int] = {}

    def prepare(self, data: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
        """What the model of ``shape`` is to be made of."""
        self._whole = data
        return self._value(data, shape, (), given=False)  # type: ignore[no-any-return]

    def path_in_file(self, path: KeyPath) -> KeyPath:
        """Where something stood before entries were dropped from the list that it is in."""
        found: KeyPath = ()
        for step in path:
            kept = self._kept.get(found)
            found = (*found, step if kept is None else kept[int(step)])
        return found

    def left_out(self, path: KeyPath) -> int:
        """How many entries of the list at ``path`` were dropped."""
        return self._left_out.get(path, 0)

    def _value(self, raw: Any, shape: Shape, path: KeyPath, *, given: bool) -> Any:
        """``given``: an environment variable gave the value, so that it is final text."""
        given = given or path in self._report.variables
        if isinstance(raw, str):
            raw, given = self._text(raw, shape, path, given=given)
        elif shape.kind == "text" and not given and not isinstance(raw, (dict, list)):
            spelling = self._document.spelling(path)
            raw = raw if spelling is None else spelling
        takes_values = shape.holds_values or shape.kind == "any"
        if takes_values and isinstance(raw, dict):
            return self._mapping(raw, shape, path, given=given)
        if takes_values and isinstance(raw, list):
            return self._list(raw, shape, path, given=given)
        return self._stand_in(raw, shape, path)

    def _text(self, raw: str, shape: Shape, path: KeyPath, *, given: bool) -> tuple[Any, bool]:
        if not given and "${" in raw:
            try:
                raw, given = expand(raw, self._environ), True
            except ValueError as error:
                self._report.error(path, str(error))
                return raw, False
        if not given:
            return raw, False
        if shape.kind == "plain" and not raw:
            return None, True
        if not shape.holds_values:
            return raw, True
        try:
            return read_yaml(raw).data, True
        except YamlError:
            self._report.error(path, "is not a list or a mapping as YAML writes it")
            return None, True

    def _mapping(self, raw: dict[Any, Any], shape: Shape, path: KeyPath, *, given: bool) -> dict[str, Any]:
        result = {}
        for key, item in raw.items():
            name = str(key)
            inner = (*path, name)
            below = shape.child(name)
            if below is not None:
                value = None if item is None else self._value(item, below, inner, given=given)
                if value is not None or shape.section is None:
                    result[name] = value
            elif shape.section is not None:
                self._report.warn(inner, unknown_key(shape.section, name, top=not path))
        return result

    def _list(self, raw: list[Any], shape: Shape, path: KeyPath, *, given: bool) -> list[Any] | None:
        below = shape.child(0)
        if below is None:
            return raw
        items = [self._entry(item, below, (*path, index), given=given) for index, item in enumerate(raw)]
        kept = [index for index, item in enumerate(items) if item is not _LEFT_OUT]
        if len(kept) < len(items):
            self._kept[path] = kept
            self._left_out[path] = len(items) - len(kept)
            return [items[index] for index in kept] or None
        return items

    def _entry(self, raw: Any, shape: Shape, path: KeyPath, *, given: bool) -> Any:
        if shape.section is not None and isinstance(raw, dict):
            reason = shape.section.unsupported_entry(raw, self._whole)
            if reason:
                self._report.warn(path, reason)
                return _LEFT_OUT
        return self._value(raw, shape, path, given=given)

    def _stand_in(self, raw: Any, shape: Shape, path: KeyPath) -> Any:
        """The value that stands in for one of the successor's format, or the value itself."""
        known = shape.counterparts.values if shape.counterparts else {}
        if not isinstance(raw, str) or raw not in known:
            return raw
        instead = known[raw]
        effect = f"{instead!r} is used in its place" if instead else "it is ignored"
        self._report.warn(path, f"{show(raw)} is not supported here; {effect}")
        return instead or _LEFT_OUT

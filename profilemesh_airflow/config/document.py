"""A configuration file's text: what it says, and on which line it says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from profilemesh_airflow.config.yaml_text import Duplicate, KeyPath, YamlError, read_yaml
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


#: How many levels of lists and mappings are taken; the format has six.
MOST_LEVELS = 60


class Document:
    """A parsed YAML or JSON text. ``data`` is what it says; lines count from 1.

    :param text: the text.
    :param name: the file, for messages.
    :param is_json: it is JSON, not YAML.
    :raises ConfigError: the text cannot be parsed; names line and column.
    """

    def __init__(self, text: str, name: str, *, is_json: bool = False) -> None:
        self._text = text
        self._is_json = is_json
        self._index: dict[int, Mapping[str, tuple[yaml.Node, yaml.Node]]] = {}
        self._root: yaml.Node | None = None
        self._located = not is_json
        self._duplicates: tuple[Duplicate, ...] = ()
        self._repeats = False
        self.data = self._read_json(name) if is_json else self._read_yaml(name)
        if _is_deeper(self.data, MOST_LEVELS):
            raise ConfigError(f"{name}: nested too deeply; a configuration has a handful of levels")

    @property
    def duplicates(self) -> tuple[Duplicate, ...]:
        """Keys that one mapping has twice; the last one counts."""
        if self._repeats:
            self._locate()
        return self._duplicates

    def line(self, path: KeyPath) -> int | None:
        """The line of the key or list entry at ``path``, or of the innermost one around it that exists."""
        found = self._find(path)
        return None if found is None else found[0].start_mark.line + 1

    def spelling(self, path: KeyPath) -> str | None:
        """How the YAML scalar at ``path`` is written (``0123`` is the number 83); None where there is none."""
        found = None if self._is_json else self._find(path)
        if found is None or found[2] < len(path) or not isinstance(found[1], yaml.ScalarNode):
            return None
        return str(found[1].value)

    def _read_yaml(self, name: str) -> Any:
        try:
            parsed = read_yaml(self._text)
        except YamlError as error:
            raise ConfigError(f"{name}:{error.line}:{error.column}: not valid YAML: {error}") from None
        self._root, self._duplicates = parsed.root, parsed.duplicates
        return parsed.data

    def _read_json(self, name: str) -> Any:
        def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            result = dict(pairs)
            self._repeats = self._repeats or len(result) < len(pairs)
            return result

        try:
            return json.loads(self._text, object_pairs_hook=mapping)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{name}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}") from None
        except (ValueError, RecursionError):
            raise ConfigError(f"{name}: not valid JSON: a number is too long or a list nested too deeply") from None

    def _locate(self) -> None:
        """Find the places in JSON by reading it as YAML, which it is but for tabs; only messages need them."""
        if self._located:
            return
        self._located = True
        try:
            parsed = read_yaml(self._text.replace("\t", " "))
        except YamlError:
            return
        self._root, self._duplicates = parsed.root, parsed.duplicates

    def _find(self, path: KeyPath) -> tuple[yaml.Node, yaml.Node, int] | None:
        """The node whose line counts, the value's own node, and how many steps of the path exist."""
        self._locate()
        if self._root is None:
            return None
        place = node = self._root
        for depth, step in enumerate(path):
            child = self._child(node, step)
            if child is None:
                return place, node, depth
            place, node = child
        return place, node, len(path)

    def _child(self, node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            return (node.value[step], node.value[step]) if step < len(node.value) else None
        if not isinstance(node, yaml.MappingNode):
            return None
        if id(node) not in self._index:
            self._index[id(node)] = {str(key.value): (key, value) for key, value in node.value}
        return self._index[id(node)].get(str(step))


def _is_deeper(data: Any, levels: int) -> bool:
    level = [data]
    for _ in range(levels):
        containers = (value for value in level if isinstance(value, (dict, list)))
        level = [inner for value in containers for inner in (value.values() if isinstance(value, dict) else value)]
    return bool(level)

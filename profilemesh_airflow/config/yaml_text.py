"""Reading YAML: safely, with the places of all values, and with messages that never show the text itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    BaseLoader = yaml.SafeLoader
else:
    BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Keys and list positions from the top of a document to a value.
KeyPath = tuple[str | int, ...]

#: Aliases let a short text stand for a huge one; no configuration has this many values.
MOST_VALUES = 1_000_000

_MERGE = "tag:yaml.org,2002:merge"

#: What PyYAML says of mistakes that are often made, and what helps. Its own words for some of them name the text.
_HINTS = {
    "undefined alias": "'*' begins an alias, and no anchor has its name; put the value in quotes",
    "constructor for the tag": "'!' begins a type that is not supported; put the value in quotes",
    "tag handle": "'!' begins a type that is not supported; put the value in quotes",
    "duplicate anchor": "'&' begins an anchor, and this one is there twice; put the value in quotes",
    "cannot start any token": "no value begins with this character; put it in quotes, and indent with spaces, not tabs",
    "mapping values are not allowed": "a ':' is out of place; indent evenly, and put a value with ': ' in quotes",
}


class YamlError(ValueError):
    """The text is not YAML, or not of a kind that can be read; line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Duplicate:
    """A key that one mapping has twice: where it stands the second time, and the line of the first."""

    path: KeyPath
    line: int
    first_line: int


@dataclass(frozen=True)
class Yaml:
    """What a text says, and the tree of nodes that knows its lines."""

    data: Any
    root: yaml.Node | None
    duplicates: tuple[Duplicate, ...]


class _Loader(BaseLoader):
    """PyYAML's safe loader; what merely looks like a date or a number is text instead of a crash."""


def _or_text(construct: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def constructor(loader: _Loader, node: yaml.ScalarNode) -> Any:
        try:
            return construct(loader, node)
        except (ValueError, OverflowError):
            return node.value

    return constructor


for _kind in ("int", "float", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _or_text(getattr(yaml.SafeLoader, f"construct_yaml_{_kind}")))


def read_yaml(text: str) -> Yaml:
    """Parse one YAML document; of a key that is there twice, the last one counts.

    :raises YamlError: it is not one YAML document, or it contains itself.
    """
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Yaml(None, None, ())
        duplicates = tuple(_duplicates(root)) if _has_duplicates(root) else ()
        return Yaml(loader.construct_document(root), root, duplicates)
    except yaml.MarkedYAMLError as error:
        raise _marked(error) from None
    except yaml.YAMLError:
        raise _unreadable(text) from None
    except RecursionError:
        raise YamlError("nested too deeply", 1, 1) from None
    finally:
        if loader is not None:
            loader.dispose()


def _has_duplicates(root: yaml.Node) -> bool:
    """Whether any mapping has a key twice; refuses a text that contains itself or stands for too many values."""
    found = False
    visited = 0
    stack: list[tuple[yaml.Node, frozenset[int]]] = [(root, frozenset())]
    while stack:
        node, around = stack.pop()
        if id(node) in around:
            raise YamlError("a value contains itself", node.start_mark.line + 1, node.start_mark.column + 1)
        children = _children(node)
        visited += len(children)
        if visited > MOST_VALUES:
            raise YamlError("its aliases stand for too many values", 1, 1)
        if children:
            inner = around | {id(node)}
            stack.extend((child, inner) for child in children if not isinstance(child, yaml.ScalarNode))
        found = found or _repeats(node)
    return found


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _repeats(node: yaml.Node) -> bool:
    if not isinstance(node, yaml.MappingNode):
        return False
    return len({key.value for key in _keys(node)}) < sum(1 for _ in _keys(node))


def _keys(node: yaml.MappingNode) -> Iterator[yaml.ScalarNode]:
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
            yield key


def _duplicates(node: yaml.Node, path: KeyPath = ()) -> Iterator[Duplicate]:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _duplicates(item, (*path, index))
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key in _keys(node):
            line = key.start_mark.line + 1
            if key.value in first:
                yield Duplicate((*path, key.value), line, first[key.value])
            first.setdefault(key.value, line)
        for key, value in node.value:
            yield from _duplicates(value, (*path, str(key.value)))


def _marked(error: yaml.MarkedYAMLError) -> YamlError:
    mark = error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.context, error.problem) if part)
    message = next((hint for words, hint in _HINTS.items() if words in said), said)
    return YamlError(message, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1)


def _unreadable(text: str) -> YamlError:
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    before = text[: found.start()] if found else ""
    line = before.count("\n") + 1
    return YamlError("a control character; remove it", line, len(before) - before.rfind("\n"))

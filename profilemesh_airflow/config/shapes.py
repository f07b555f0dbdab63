"""What kind of value each key of the configuration takes, read off the models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from profilemesh_airflow.config.base import Counterparts, Section

if TYPE_CHECKING:
    from collections.abc import Mapping

#: ``text``: written as is, however much it looks like a number. ``plain``: a number, a boolean, one of several types.
#: ``any``: whatever the file says. The others hold values themselves.
Kind = Literal["text", "plain", "any", "list", "mapping", "section"]


@dataclass(frozen=True)
class Shape:
    """One kind of value.

    :param section: the model of a section.
    :param item: what a list or a mapping holds.
    :param counterparts: values of the successor's format, and what stands in for them.
    """

    kind: Kind
    section: type[Section] | None = None
    item: Shape | None = None
    counterparts: Counterparts | None = None

    @property
    def holds_values(self) -> bool:
        """Whether it is a list or a mapping of some kind."""
        return self.kind in ("list", "mapping", "section")

    def child(self, step: str | int) -> Shape | None:
        """The shape of what stands under a key or a list position; None where there is no such key."""
        if self.section is not None:
            return keys_of(self.section).get(str(step))
        return self.item or (ANY if self.kind == "any" else None)


ANY = Shape("any")


@cache
def keys_of(section: type[Section]) -> Mapping[str, Shape]:
    """The keys of a section as the file spells them, and the shape of each."""
    return {
        field.alias or name: _shape(field.annotation, tuple(field.metadata))
        for name, field in section.model_fields.items()
    }


@cache
def shape_of(section: type[Section]) -> Shape:
    """The shape of a section."""
    return Shape("section", section=section)


def unknown_key(section: type[Section], key: str, *, top: bool = False) -> str:
    """What to tell about a key that a section does not have; ``top`` says that the section is the whole file."""
    if key in section.unsupported_keys:
        what = f"section {key!r}" if top else "this key"
        return f"{what} is not supported here and is ignored"
    known = list(keys_of(section))
    nearest = get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known here: {', '.join(known)}"
    return f"unknown key, ignored; {hint}"


def _shape(annotation: Any, metadata: tuple[Any, ...]) -> Shape:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(arguments[0], (*metadata, *arguments[1:]))
    if origin in (Union, UnionType):
        inner = [argument for argument in arguments if argument is not NoneType]
        return _shape(inner[0], metadata) if len(inner) == 1 else Shape("plain")
    if origin is tuple:
        return Shape("list", item=_shape(arguments[0], ()))
    if origin is dict:
        return Shape("mapping", item=_shape(arguments[1], ()))
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return shape_of(annotation)
    if annotation is Any:
        return ANY
    counterparts = next((marker for marker in metadata if isinstance(marker, Counterparts)), None)
    is_text = origin is Literal or annotation in (str, SecretStr, timedelta)
    return Shape("text" if is_text else "plain", counterparts=counterparts)

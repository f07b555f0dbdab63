"""What every part of the configuration is made of: the base model, and the small types that several sections use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_LOGIN = re.compile(r"//\S*@")

#: A message shows this much of a value.
_SHOWN_LENGTH = 80


class Section(BaseModel):
    """A mapping of the configuration file. Immutable; a key it does not know is reported by the loader, not here."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    #: Keys that the successor of the format defines here and this package does not support.
    unsupported_keys: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def unsupported_entry(cls, entry: Mapping[Any, Any], whole: Mapping[str, Any]) -> str | None:
        """Why a list entry, as written, is valid in the successor's format and yet cannot be used here, or None.

        :param whole: the configuration that it is in.
        """
        return None


@dataclass(frozen=True, eq=False)
class Counterparts:
    """Marks a field: values of the successor's format, and what stands in for each here (None: nothing)."""

    values: Mapping[str, str | None]


def show(value: object) -> str:
    """A value as a message shows it: YAML's spelling, shortened, and without the login of a URL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    text = without_login(value if isinstance(value, str) else str(value))
    if len(text) > _SHOWN_LENGTH:
        text = f"{text[:_SHOWN_LENGTH]}..."
    return repr(text) if isinstance(value, str) else text


def without_login(text: str) -> str:
    """``text`` with the login of every URL in it blotted out."""
    return _LOGIN.sub("//***@", text)


def is_slug(text: str) -> bool:
    """Whether ``text`` can stand in a URI as it is: letters, digits, ``_``, ``-``, ``.``; 63 characters at most."""
    return _SLUG.fullmatch(text) is not None


def _slug(value: str) -> str:
    if not is_slug(value):
        raise ValueError(
            f"{show(value)} is not allowed; use letters, digits, '_', '-' and '.', "
            "beginning with a letter or a digit, at most 63 characters"
        )
    return value


def _identifier(value: str) -> str:
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError(
            f"{show(value)} is not a plain table name; use letters, digits and '_', "
            "not beginning with a digit, at most 63 characters, without a schema"
        )
    return value


def _not_a_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{show(value)} is not a number")  # noqa: TRY004 (pydantic collects ValueError only)
    return value


def _empty_is_none(value: Any) -> Any:
    return None if value == "" else value


#: A name that is used in URIs and ids.
Slug = Annotated[str, AfterValidator(_slug)]
#: A table that this package creates.
Identifier = Annotated[str, AfterValidator(_identifier)]
#: Text, where an empty one means that nothing was given.
OptionalText = Annotated[str | None, BeforeValidator(_empty_is_none)]
#: An integer; pydantic alone would take ``yes`` for 1.
WholeNumber = Annotated[int, BeforeValidator(_not_a_boolean)]
#: An integer of at least 1.
Positive = Annotated[int, BeforeValidator(_not_a_boolean), Field(ge=1)]
#: A number; pydantic alone would take ``yes`` for 1.
Number = Annotated[float, BeforeValidator(_not_a_boolean)]
#: A share of the rows: more than 0, at most 1.
Fraction = Annotated[float, BeforeValidator(_not_a_boolean), Field(gt=0, le=1)]

"""What pydantic found wrong, in the words of this package."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.config.report import show_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from profilemesh_airflow.config.yaml_text import KeyPath

_LIST = "{value} is not allowed; write a list, as [a, b] or with one '- ' line an entry"
_MAPPING = "{value} is not allowed; write a mapping, with one 'key: value' line an entry"
_WHOLE = "{value} is not a whole number"
_NUMBER = "{value} is not a number"
_BOOLEAN = "{value} is not allowed; use true or false"

_MESSAGES = {
    "missing": "missing; this key is required",
    "string_type": "{value} is not text",
    "string_too_short": "{value} is empty; give a name",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "tuple_type": _LIST,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "greater_than": "{value} is not allowed; it must be greater than {gt}",
    "greater_than_equal": "{value} is not allowed; it must be at least {ge}",
    "less_than": "{value} is not allowed; it must be less than {lt}",
    "less_than_equal": "{value} is not allowed; it must be at most {le}",
}


def message_of(error: ErrorDetails, path: KeyPath) -> str:
    """One error of pydantic's as text; a secret is masked.

    :param path: where in the file it is.
    """
    context: Mapping[str, Any] = error.get("ctx", {})
    value = error["input"]
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "literal_error":
        return _choice(value, str(context["expected"]), path)
    template = _MESSAGES.get(error["type"])
    if template is None:
        return f"{show_at(path, value)} is not allowed; {error['msg']}"
    return template.format(value=show_at(path, value), **context)


def _choice(value: object, expected: str, path: KeyPath) -> str:
    allowed = re.findall(r"'([^']*)'", expected)
    nearest = get_close_matches(str(value).lower(), allowed, n=1)
    hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    return f"{show_at(path, value)} is not allowed; use one of {', '.join(allowed)}{hint}"

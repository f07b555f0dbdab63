"""Column types that mean the same on SQLite, PostgreSQL and MySQL/MariaDB."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, DateTime, Float, Integer, String, Text, TypeDecorator
from sqlalchemy.dialects import mysql

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

    _DateTimeDecorator = TypeDecorator[datetime]
    _TextDecorator = TypeDecorator[str]
else:
    # SQLAlchemy 1.4 has no generic classes.
    _DateTimeDecorator = _TextDecorator = TypeDecorator

_MYSQL = ("mysql", "mariadb")

#: Databases that keep a moment with its zone, and would take one without for the session's.
_ZONED = ("postgresql", "snowflake")


class UtcDateTime(_DateTimeDecorator):
    """An aware moment with microseconds; always UTC when it is read. A naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DATETIME(6) on MySQL, whose plain DATETIME has whole seconds."""
        return dialect.type_descriptor(
            mysql.DATETIME(fsp=6) if dialect.name in _MYSQL else DateTime(timezone=True),
        )

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment as the driver takes it: without a zone where the database has none."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        utc = value.astimezone(timezone.utc)
        return utc if dialect.name in _ZONED else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment in UTC, whatever zone the session is in."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class LongText(_TextDecorator):
    """Text of any length. What a database cannot hold in text, NUL and lone surrogates, becomes a question mark."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """LONGTEXT on MySQL, whose TEXT ends at 64 KiB."""
        return dialect.type_descriptor(mysql.LONGTEXT() if dialect.name in _MYSQL else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text with what cannot be stored replaced."""
        return value if value is None or is_storable(value) else _storable(value)


def is_storable(text: str) -> bool:
    """Whether every database can hold the text as it is."""
    return "\x00" not in text and (text.isascii() or _storable(text) == text)


def _storable(text: str) -> str:
    return text.replace("\x00", "?").encode(errors="replace").decode()


def key_text(length: int) -> String:
    """ASCII text that may be part of a key, compared by exact case everywhere."""
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    plain: Any = String(length)
    for dialect in _MYSQL:
        plain = plain.with_variant(exact, dialect)
    return plain  # type: ignore[no-any-return]


def counter() -> BigInteger:
    """The type of a number that the database itself counts up."""
    # SQLite counts up only what is spelled INTEGER.
    return BigInteger().with_variant(Integer(), "sqlite")


def double() -> Float[float]:
    """A floating-point number of double precision; SQLAlchemy 1.4 has no ``Double``."""
    number: Any = Float(53)
    for dialect in _MYSQL:
        number = number.with_variant(mysql.DOUBLE(asdecimal=False), dialect)
    return number  # type: ignore[no-any-return]

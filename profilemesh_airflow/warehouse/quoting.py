"""Schemas with a dot in their name, for packages that take the dot for one between a database and a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.sql import quoted_name

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine


class _KeepingDots:
    """Goes before the preparer of a dialect: what is quoted as a whole stays whole."""

    def quote_schema(self, schema: str, force: Any = None) -> str:
        """A schema as a statement spells it."""
        preparer: Any = super()
        if isinstance(schema, quoted_name) and schema.quote:
            return str(preparer.quote_identifier(schema))
        return str(preparer.quote_schema(schema, force))


def keeping_dots(engine: Engine) -> Engine:
    """Have an engine spell a schema that is a ``quoted_name`` as one name, whatever its package does with dots."""
    dialect = engine.dialect
    dialect.preparer = type(f"KeepingDots{dialect.preparer.__name__}", (_KeepingDots, dialect.preparer), {})
    dialect.identifier_preparer = dialect.preparer(dialect)
    return engine

"""A table of 20 columns of every common kind, the same for the same version of polars: ``mixed``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from tests.warehouse.databases import Database

#: Column names to types, of PostgreSQL and of SQLite.
COLUMNS = {
    "id": ("bigint", "INTEGER"),
    "customer_id": ("int", "INTEGER"),
    "qty": ("smallint", "INTEGER"),
    "store_id": ("int", "INTEGER"),
    "score": ("double precision", "REAL"),
    "ratio": ("real", "REAL"),
    "price": ("numeric(12,2)", "NUMERIC"),
    "discount": ("numeric(5,4)", "NUMERIC"),
    "tax": ("numeric(14,4)", "NUMERIC"),
    "status": ("text", "TEXT"),
    "country": ("text", "TEXT"),
    "sku": ("text", "TEXT"),
    "email": ("text", "TEXT"),
    "note": ("text", "TEXT"),
    "created_at": ("timestamp", "TIMESTAMP"),
    "updated_at": ("timestamp", "TIMESTAMP"),
    "birth_date": ("date", "DATE"),
    "is_active": ("boolean", "BOOLEAN"),
    "flag": ("boolean", "BOOLEAN"),
    "big_nullable": ("bigint", "INTEGER"),
}


def mixed(rows: int) -> pl.DataFrame:
    """The table; some columns have a few values, some a new one in each row, and six hold NULLs."""
    number = pl.int_range(rows, dtype=pl.Int64)

    def uniform(seed: int) -> pl.Expr:
        return number.hash(seed).cast(pl.Float64) / 2.0**64

    def below(limit: int, seed: int) -> pl.Expr:
        return (number.hash(seed) % limit).cast(pl.Int64)

    def normal(seed: int) -> pl.Expr:
        return (-2 * (uniform(seed) + 1e-18).log()).sqrt() * (2 * math.pi * uniform(seed + 500)).cos()

    def with_nulls(values: pl.Expr, share: float, seed: int) -> pl.Expr:
        return pl.when(uniform(seed) >= share).then(values)

    def moment(unit: int, seed: int) -> pl.Expr:
        start, span = 1_640_995_200_000_000, 3 * 365 * 86_400 * 1_000_000
        return (start + below(span // unit, seed) * unit).cast(pl.Datetime("us"))

    words = (pl.format("w{}", below(4096, 40 + seed)) for seed in range(4))
    states = pl.Series("states", ["new"] * 2 + ["paid"] * 8 + ["shipped"] * 7 + ["returned"] * 2 + ["cancelled"])
    return pl.select(
        id=number + 1,
        customer_id=below(100_000, 1) + 1,
        qty=below(50, 2) + 1,
        store_id=(1 / (uniform(3) + 1e-18) ** 2).clip(1, 200).cast(pl.Int64),
        score=normal(4) * 15 + 100,
        ratio=with_nulls(uniform(5).cast(pl.Float32), 0.05, 105),
        price=(normal(6) + 3).exp().round(2),
        discount=with_nulls((uniform(7) * 0.9).round(4), 0.30, 107),
        tax=(normal(8) * 1.2 + 2).exp().round(4),
        status=pl.lit(states).gather(below(20, 9)),
        country=pl.format("country_{}", below(200, 10) + 100),
        sku=pl.format("SKU-{}", below(20_000, 11) + 100_000),
        email=pl.format("u{}@ex{}.org", below(2**40, 12), below(97, 13)),
        note=with_nulls(pl.concat_str([*words, pl.lit("lorem")], separator=" "), 0.60, 114),
        created_at=moment(1, 15),
        updated_at=with_nulls(moment(1_000_000, 16), 0.20, 116),
        birth_date=(below(25_000, 17) - 10_958).cast(pl.Int32).cast(pl.Date),
        is_active=uniform(18) < 0.8,
        flag=with_nulls(uniform(19) < 0.5, 0.50, 119),
        big_nullable=with_nulls(below(2 * 10**12, 20) - 10**12, 0.80, 120),
    )


def load_mixed(database: Database, rows: int) -> None:
    """Create and fill the table ``mixed``."""
    frame = mixed(rows)
    if database.kind == "postgres":
        database.create("mixed", {name: types[0] for name, types in COLUMNS.items()})
        database.copy("mixed", frame.write_csv(include_header=False))
        return
    texts = frame.with_columns(
        pl.col("created_at", "updated_at").dt.strftime("%Y-%m-%d %H:%M:%S%.6f"),
        pl.col("birth_date").dt.strftime("%Y-%m-%d"),
        pl.col("is_active", "flag").cast(pl.Int64),
    )
    database.create("mixed", {name: types[1] for name, types in COLUMNS.items()})
    for some in texts.iter_slices(50_000):
        database.insert("mixed", some.rows())

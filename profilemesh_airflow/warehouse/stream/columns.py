"""What is kept of a column's values while they arrive: no more than its metrics need."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from profilemesh_airflow.warehouse.stream.source import SEVERAL_TYPES, UnfitError
from profilemesh_airflow.warehouse.subject import MOST_HASHED, TOLD_BY_LENGTH

if TYPE_CHECKING:
    from typing import Any

    from profilemesh_airflow.warehouse.stream.source import Wish

    Array: TypeAlias = np.ndarray[Any, Any]

#: Nobody can prepare texts whose hashes collide.
_SEED = secrets.randbits(64)

#: From here on doubles skip integers.
MAX_EXACT = 2**53

#: More values than these are looked at in blocks, so that what is computed of them takes no room to speak of.
BLOCK = 2**16

_EXTREMES = frozenset({"min_text", "max_text", "min", "max"})

_INT32 = np.iinfo(np.int32)


class Numbers:
    """Numbers, and times as numbers: all values but NULLs, in as few bytes as they fit into.

    :ivar dtype: their type, as polars has it.
    """

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.size = 0
        self.dtype: pl.DataType | None = None
        self._chunks: list[Array] = []

    def add(self, values: pl.Series) -> None:
        """Keep a copy: what arrives together is freed together."""
        self.dtype = values.dtype
        chunk = _narrow(values.drop_nulls().to_physical().to_numpy())
        self._chunks.append(chunk)
        self.size += chunk.nbytes

    def merge(self, other: AnyColumn) -> None:
        """Take over what another reader has of it; as all others, unfit where it came in another type there."""
        if not isinstance(other, Numbers):
            raise UnfitError(SEVERAL_TYPES)
        self.dtype = self.dtype or other.dtype
        self._chunks += other._chunks

    def in_order(self) -> Array:
        """All values from the least to the greatest, NaN last; they leave this column.

        :raises UnfitError: there are whole numbers among doubles that a double does not hold.
        """
        if len({chunk.dtype.kind for chunk in self._chunks}) > 1 and not all(map(_are_exact, self._chunks)):
            raise UnfitError(SEVERAL_TYPES)
        counted = _counted(self._chunks)
        if counted is not None:
            return counted
        values = np.concatenate(self._chunks) if self._chunks else np.empty(0, np.int64)
        self._chunks.clear()
        values.sort()
        return values.astype(np.float64) if values.dtype == np.float32 else values


class Hashes:
    """Of texts, a hash of each, and what their lengths tell.

    :ivar count: how many there are.
    :ivar letters: how many letters they have together.
    """

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.size = 0
        self.count = self.empty = self.letters = 0
        self.lengths: tuple[int, int] | None = None
        self._hashes: list[pl.Series] = []

    def add(self, values: pl.Series) -> None:
        """Keep hashes; with a length each where lengths are wanted."""
        if values.dtype == pl.UInt64:
            self._add(values)
        else:
            self._add(values.struct.field("hash"), values.struct.field("length"))

    def merge(self, other: AnyColumn) -> None:
        """Take over what another reader has."""
        if not isinstance(other, Hashes):
            raise UnfitError(SEVERAL_TYPES)
        self._count(other.count)
        self.empty += other.empty
        self.letters += other.letters
        self._hashes += other._hashes
        if other.lengths is not None:
            self._stretch(*other.lengths)

    def distinct(self) -> int:
        """How many different texts there are; their hashes leave this column."""
        hashes = pl.concat([pl.Series(dtype=pl.UInt64), *self._hashes])
        self._hashes.clear()
        return hashes.n_unique()

    def _add(self, hashes: pl.Series, lengths: pl.Series | None = None) -> None:
        self._count(len(hashes))
        self._hashes.append(hashes)
        self.size += int(hashes.estimated_size())
        if lengths is not None and len(lengths):
            self.letters += int(lengths.sum())
            self.empty += int((lengths == 0).sum())
            least: Any = lengths.min()
            greatest: Any = lengths.max()
            self._stretch(least, greatest)

    def _count(self, more: int) -> None:
        self.count += more
        if self.count > MOST_HASHED:
            raise UnfitError(f"more than {MOST_HASHED:,} texts")

    def _stretch(self, least: int, greatest: int) -> None:
        known = self.lengths or (least, greatest)
        self.lengths = (min(known[0], least), max(known[1], greatest))


class Texts(Hashes):
    """Texts, of which more is wanted: the extremes, and themselves only where the most frequent are."""

    def __init__(self, wish: Wish) -> None:
        super().__init__(wish)
        self.extremes: tuple[str, str] | None = None
        self._texts: list[pl.Series] = []

    def add(self, values: pl.Series) -> None:
        """Look at some texts."""
        present = values.drop_nulls()
        if not len(present):
            return
        lengths = present.str.len_chars() if self.wish.metrics & TOLD_BY_LENGTH else None
        self._add(present.hash(_SEED), lengths)
        if self.wish.metrics & _EXTREMES:
            self._widen(present.min(), present.max())
        if "top_values" in self.wish.metrics:
            # A text of their own: those that arrived hold on to all that arrived with them.
            texts = present + ""
            self._texts.append(texts)
            self.size += int(texts.estimated_size())

    def merge(self, other: AnyColumn) -> None:
        """Take over what another reader has."""
        if not isinstance(other, Texts):
            raise UnfitError(SEVERAL_TYPES)
        super().merge(other)
        self._texts += other._texts
        if other.extremes is not None:
            self._widen(*other.extremes)

    def texts(self) -> pl.Series:
        """All of them, where they were kept."""
        return pl.concat([pl.Series(dtype=pl.String), *self._texts])

    def _widen(self, least: Any, greatest: Any) -> None:
        known = self.extremes or (least, greatest)
        self.extremes = (min(known[0], least), max(known[1], greatest))


class Truths:
    """Truth values: how many of each there are."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.size = 0
        self.true = self.false = 0

    def add(self, values: pl.Series) -> None:
        """Count some."""
        true: Any = values.sum()
        self.true += true
        self.false += len(values) - values.null_count() - true

    def merge(self, other: AnyColumn) -> None:
        """Add what another reader counted."""
        if not isinstance(other, Truths):
            raise UnfitError(SEVERAL_TYPES)
        self.true += other.true
        self.false += other.false


AnyColumn: TypeAlias = Numbers | Hashes | Truths

#: By the type as polars calls it; all others are numbers.
_KEPT_AS: dict[str, type[AnyColumn]] = {"Boolean": Truths, "String": Texts, "UInt64": Hashes, "Struct": Hashes}


def column_of(wish: Wish, dtype: pl.DataType) -> AnyColumn:
    """What keeps the values of a column that comes as ``dtype``.

    :raises UnfitError: it may not.
    """
    if dtype.base_type().__name__ not in wish.field.types:
        raise UnfitError(f"holds values that come as {dtype}")
    return _KEPT_AS.get(dtype.base_type().__name__, Numbers)(wish)


def empty_column(wish: Wish) -> AnyColumn:
    """A column of a table without rows."""
    return _KEPT_AS.get(wish.field.types[0], Numbers)(wish)


def _narrow(values: Array) -> Array:
    """A copy, of whole numbers in 32 bits where they fit: they take half the room, and sort faster."""
    if values.dtype.kind in "iu" and (values.dtype.itemsize < 4 or _fits(values)):
        return values.astype(np.int32)
    return np.array(values)


def _fits(values: Array) -> bool:
    return len(values) > 0 and bool(values.min() >= _INT32.min and values.max() <= _INT32.max)


def _are_exact(values: Array) -> bool:
    """As doubles."""
    whole = values.dtype == np.int64 and len(values) > 0
    return not whole or bool(values.min() > -MAX_EXACT and values.max() < MAX_EXACT)


def _counted(chunks: list[Array]) -> Array | None:
    """Whole numbers of a small range in order, which is faster found by counting each; none of others."""
    filled = [chunk for chunk in chunks if len(chunk)]
    if not filled or any(chunk.dtype.kind != "i" for chunk in filled):
        return None
    low = min(int(chunk.min()) for chunk in filled)
    span = max(int(chunk.max()) for chunk in filled) - low + 1
    if span > min(BLOCK, sum(map(len, filled))):
        return None
    counts = np.zeros(span, np.int64)
    for chunk in filled:
        for start in range(0, len(chunk), BLOCK):
            places = np.subtract(chunk[start : start + BLOCK], low, dtype=np.int64)
            counts += np.bincount(places, minlength=span)
    values = np.arange(low, low + span, dtype=np.result_type(*filled))
    chunks.clear()
    filled.clear()
    return np.repeat(values, counts)

"""Ask for many things at once, and find the few that cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def ask_in_halves(
    items: Sequence[T],
    ask: Callable[[Sequence[T]], None],
    refused: type[E],
    give_up: Callable[[T, E], None],
) -> None:
    """Call ``ask`` with all items; where it raises ``refused``, with each half, and so on.

    What is refused alone goes to ``give_up``. With one bad item among n that takes about 2 log2 n questions.
    """
    if not items:
        return
    try:
        ask(items)
    except refused as error:
        if len(items) == 1:
            give_up(items[0], error)
            return
        middle = len(items) // 2
        ask_in_halves(items[:middle], ask, refused, give_up)
        ask_in_halves(items[middle:], ask, refused, give_up)

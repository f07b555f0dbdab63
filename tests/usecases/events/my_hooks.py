"""What a user of the package would write: hooks and callbacks, found by their place."""

from __future__ import annotations

#: What they were told, by who was.
TOLD = []


class Pager:
    """A hook of the earlier format."""

    def __init__(self, address="", boom=None):
        self.address = address
        self.boom = boom

    def handle_event(self, event):
        TOLD.append(("pager", event.event_type, event.metadata.get("row_count")))
        if event.event_type == self.boom:
            raise ConnectionError(f"no answer from {self.address}")


class Caller:
    """A class whose objects can be called."""

    def __call__(self, event):
        TOLD.append(("caller", event.event_type))


class Deaf:
    """No hook."""


class Moody:
    """Cannot be made."""

    def __init__(self, token):
        raise RuntimeError(f"{token} was refused")


def begin(event):
    TOLD.append(("begin", event.event_type, event.table_key))


def end(event):
    TOLD.append(("end", event.event_type, event.table_key))


def fail(event):
    raise ZeroDivisionError("a mistake")


class Board:
    """Something that holds functions."""

    @staticmethod
    def show(event):
        TOLD.append(("board", event.event_type, event.table_key))

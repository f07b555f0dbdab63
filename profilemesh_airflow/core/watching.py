"""When an edit of watched files is told of: once they are quiet, and hold something else than what was told of last.

Pure: whoever watches gives the moments and what it read, and does what is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Stands for a file that is not there.
_ABSENT = "absent"


@dataclass(frozen=True)
class Look:
    """What the files hold.

    :param digest: stands for their content; none where it is not to be told of now.
    :param trouble: why not: a file is missing, or was saved in half.
    """

    digest: str | None
    trouble: str | None = None


@dataclass(frozen=True)
class Watching:
    """What is known of the files. Each step returns the next.

    :param debounce: seconds without a sign of a file, after which they are quiet.
    :param known: the digest that was told of last, or that was in force when watching began; none where there is none.
    :param stirred_at: the latest sign that one of them was written, in seconds; none when that was looked into.
    :param trouble: what the latest look found.
    """

    debounce: float
    known: str | None = None
    stirred_at: float | None = None
    trouble: str | None = None

    def stirred(self, now: float) -> Watching:
        """After a sign of a file at ``now``."""
        return replace(self, stirred_at=now)

    def wait(self, now: float) -> float | None:
        """Seconds until the files are to be looked at; none where nothing stirred."""
        return None if self.stirred_at is None else max(self.stirred_at + self.debounce - now, 0.0)

    def looked(self, look: Look) -> tuple[Watching, bool]:
        """After a look at quiet files, and whether it is to be told of."""
        after = replace(self, stirred_at=None, trouble=look.trouble)
        if look.digest is None or look.digest == self.known:
            return after, False
        return replace(after, known=look.digest), True


def digest_of(content: bytes) -> str:
    """The digest of one file's content."""
    return blake2b(content, digest_size=16).hexdigest()


def joint_digest(main: str, others: Mapping[str, str | None]) -> str:
    """What stands for a configuration and the files that it names.

    :param main: the digest of the configuration's own file.
    :param others: by path, the digests of the others; none for one that is not there.
    """
    if not others:
        return main
    lines = [f"{path}\0{digest or _ABSENT}" for path, digest in sorted(others.items())]
    return digest_of("\n".join([main, *lines]).encode())

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from profilemesh_airflow.config.sizes import Size

SIZE = TypeAdapter(Size)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (1, 1),
        (1_000_000, 1_000_000),
        ("1000000", 1_000_000),
        (" 512MiB ", 512 * 2**20),
        ("10GB", 10**10),
        ("10 gb", 10**10),
        ("1.5TiB", 3 * 2**39),
        ("2k", 2000),
        ("7B", 7),
    ],
)
def test_a_size_is_bytes_or_a_number_with_a_unit(written: object, size: int) -> None:
    assert SIZE.validate_python(written) == size


@pytest.mark.parametrize(
    "written", ["", "many", "GB", "10,000", "10_000", "-1", "5gbit", "1e9", "10GBs", 1.5, True, []]
)
def test_what_is_no_size_is_refused_and_the_right_spelling_is_shown(written: object) -> None:
    with pytest.raises(ValidationError, match="is not a size; write a number of bytes, or one with a unit as 512MiB"):
        SIZE.validate_python(written)


@pytest.mark.parametrize("written", [0, "0", "0GB", "0.1B"])
def test_a_size_is_at_least_one_byte(written: object) -> None:
    with pytest.raises(ValidationError, match="0 bytes are not allowed; a size must be at least 1"):
        SIZE.validate_python(written)

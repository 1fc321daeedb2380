"""What a scenario's file is made of, as YAML has it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field

T = TypeVar("T")


def _in_utc(value: Any) -> Any:
    """YAML knows days and instants; both become an instant in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else value


Instant = Annotated[datetime, BeforeValidator(_in_utc)]
Listed = Annotated[tuple[T, ...], Field(strict=False)]
"""A list in YAML, a tuple here."""


def exactly_one(what: dict[str, bool]) -> None:
    """Raises ValueError unless one of the keys is given."""
    given = [name for name, is_given in what.items() if is_given]
    if len(given) != 1:
        raise ValueError(f"exactly one of {', '.join(what)}; given: {', '.join(given) or 'none'}")

"""Numbers of things in sentences: 1 day, 2 days."""

from __future__ import annotations


def counted(number: float, thing: str) -> str:
    """A whole number of things as it is said.

    >>> counted(1, "day"), counted(2, "day"), counted(12345, "labelled row")
    ('1 day', '2 days', '12,345 labelled rows')
    """
    return f"{number:,.0f} {thing}{'' if round(number) == 1 else 's'}"

"""The wildcards of IAM: * is any text, ? is one character, brackets mean themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from rehearsal.engine.account import Unsupported


def matches_any(patterns: Iterable[str], value: str) -> bool:
    """Whether one of the patterns covers the whole value, letter by letter."""
    return any(_compiled(pattern).fullmatch(value) for pattern in patterns)


def listed(value: Any) -> tuple[Any, ...]:
    """A policy's element that may be one value or a list of them."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    if "${" in pattern:
        raise Unsupported(
            f"the policy variable in {pattern!r}: the local account fills in none. Build it in "
            "rehearsal/engine/iam/patterns.py."
        )
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)

"""EventBridge's matching, as far as our rules use it: exact values and prefixes."""

from __future__ import annotations

from typing import Any


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Every key of the pattern must be in the event and one of its values must fit.

    A list in the event matches if one of its items does.
    """
    return all(key in event and _fits(wanted, event[key]) for key, wanted in pattern.items())


def _fits(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(value, dict) and matches(wanted, value)
    values = value if isinstance(value, list) else [value]
    return any(_one(option, item) for option in wanted for item in values)


def _one(option: Any, item: Any) -> bool:
    if not isinstance(option, dict):
        return bool(option == item)
    ((operator, operand),) = option.items()
    if operator != "prefix":
        raise NotImplementedError(f"the event pattern operator {operator}: teach it to this matcher")
    return isinstance(item, str) and item.startswith(operand)

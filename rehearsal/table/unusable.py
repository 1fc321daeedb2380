"""How a table is refused: one sentence, before anything starts."""


class Unusable(Exception):
    """The table, or what was asked of it, cannot be rehearsed; the message says got, allowed and what to do."""


def shown(names: list[str], most: int = 12) -> str:
    """Names for a sentence, shortened where there are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(name if len(name) <= 40 else f"{name[:37]}..." for name in names[:most]) + more

"""The classes of a multiclass target, and what a label means: a number, or the place of its class."""

from __future__ import annotations

from collections.abc import Sequence

LEAST, MOST = 3, 50
LONGEST = 100


def problem(classes: Sequence[str]) -> str:
    """What is wrong with the classes of a model, in words that follow "CLASSES"; empty if nothing is.

    >>> problem(["a", "b", "c"]), problem(["a", "b", "a"])
    ('', "names 'a' twice; name each class once")
    """
    if not LEAST <= len(classes) <= MOST:
        return f"names {len(classes)}, allowed are {LEAST} to {MOST} classes of a multiclass TASK"
    for one in classes:
        if not one or one != one.strip() or not one.isprintable() or len(one) > LONGEST:
            return f"names {one!r}, expected up to {LONGEST} printable characters without a space around them"
    repeated = [one for i, one in enumerate(classes) if one in classes[:i]]
    return f"names {repeated[0]!r} twice; name each class once" if repeated else ""


def outcome(task: str, classes: Sequence[str], label: str) -> float:
    """The number that losses are told of: the label's own, or its place among the classes. Raises ValueError.

    >>> outcome("binary", (), "1"), outcome("multiclass", ("a", "b", "c"), "b")
    (1.0, 1.0)
    """
    if task == "multiclass":
        if label not in classes:
            raise ValueError(f"got class {label!r}, allowed are {', '.join(classes)}")
        return float(classes.index(label))
    if "_" in label or not label.isascii():  # a number to Python, not to a table's reader
        raise ValueError(f"got {label!r}, expected a number")
    return float(label)


def score(answer: float | Sequence[float]) -> float:
    """What the watch counts of an answer: the number itself, or the place of the likeliest class, of equals the first.

    >>> score(0.25), score((0.2, 0.5, 0.3))
    (0.25, 1.0)
    """
    return float(answer) if isinstance(answer, int | float) else float(answer.index(max(answer)))

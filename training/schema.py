"""What a model predicts and from which columns; and how the text of a cell becomes its value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from domain.classes import problem
from domain.loss import TASKS
from training.errors import Refused

KINDS = ("number", "category")
FLOAT32_MAX = 3.4028234e38


@dataclass(frozen=True)
class Feature:
    name: str
    kind: str


@dataclass(frozen=True)
class Schema:
    task: str
    target: str
    time: str
    features: tuple[Feature, ...]
    classes: tuple[str, ...] = ()
    """Of a multiclass task, in the order of its probabilities."""

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise Refused(f"TASK is {self.task!r}, allowed are {', '.join(TASKS)}")
        if not self.features:
            raise Refused("FEATURES is empty; name at least one column")
        for feature in self.features:
            if feature.kind not in KINDS:
                raise Refused(
                    f"FEATURES[{feature.name!r}] is {feature.kind!r}, allowed are {', '.join(KINDS)}"
                )
        if self.task == "multiclass" and (wrong := problem(self.classes)):
            raise Refused(f"model.py: CLASSES {wrong}")
        if self.task != "multiclass" and self.classes:
            raise Refused(f"model.py has CLASSES, and TASK is {self.task!r}; only multiclass has them")
        if clash := {self.target, self.time} & set(self.names):
            raise Refused(
                f"FEATURES names {min(clash)!r}, which is TARGET or TIME; a feature cannot be either"
            )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """Of one row's answer: one number, or one a class."""
        return (len(self.classes),) if self.classes else ()

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """The names of the numbers, or of the categories, in order."""
        return tuple(feature.name for feature in self.features if feature.kind == kind)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that a training table must have."""
        return (self.time, *self.names, self.target)

    def to_dict(self) -> dict[str, Any]:
        """As it is written beside a model; an image from before there were classes reads one that has none."""
        return {name: value for name, value in asdict(self).items() if name != "classes" or value}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Schema:
        fields: dict[str, Any] = json.loads(text)
        features = tuple(Feature(**feature) for feature in fields["features"])
        return cls(**{**fields, "features": features, "classes": tuple(fields.get("classes", ()))})

    @classmethod
    def of(
        cls, task: str, target: str, time: str, features: Mapping[str, str], classes: Sequence[str] = ()
    ) -> Schema:
        return cls(
            task, target, time, tuple(Feature(name, kind) for name, kind in features.items()), tuple(classes)
        )


def number(text: str) -> float:
    """A finite float32, or NaN for an empty cell; ValueError for anything else.

    >>> number("1.5"), number(""), number("-2e3")
    (1.5, nan, -2000.0)
    """
    if not text or text.isspace():
        return math.nan
    value = float(text)
    if not abs(value) <= FLOAT32_MAX:
        raise ValueError(f"{text!r} is not finite")
    return value


def is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True

"""The one place that reads model.py, so that its mistakes are told by name."""

from __future__ import annotations

import os
from typing import Any

from training.errors import Refused
from training.schema import Schema


def _model() -> Any:
    try:
        from training import model
    except Exception as error:
        raise Refused(f"model.py cannot be imported: {type(error).__name__}: {error}") from error
    return model


def schema() -> Schema:
    model = _model()
    for name in ("TASK", "TARGET", "TIME", "FEATURES"):
        if not hasattr(model, name):
            raise Refused(f"model.py lacks {name}")
    classes = [str(one) for one in getattr(model, "CLASSES", ())]
    return Schema.of(model.TASK, model.TARGET, model.TIME, model.FEATURES, classes)


def ranges(schema: Schema) -> dict[str, tuple[float, float]]:
    """RANGES of model.py, lowest and highest by feature; it may leave them out."""
    found = getattr(_model(), "RANGES", {})
    numbers = {feature.name for feature in schema.features if feature.kind == "number"}
    for name, bounds in found.items():
        if name not in numbers:
            raise Refused(f"model.py: RANGES names {name!r}, allowed are the numbers of FEATURES")
        if len(bounds) != 2 or not bounds[0] <= bounds[1]:
            raise Refused(
                f"model.py: RANGES[{name!r}] is {bounds!r}, expected the lowest and the highest value"
            )
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}


def estimator() -> Any:
    model = _model()
    if not hasattr(model, "estimator"):
        raise Refused("model.py lacks the function estimator()")
    try:
        return model.estimator()
    except Exception as error:
        raise Refused(f"model.py: estimator() raised {type(error).__name__}: {error}") from error


def whole_number(name: str, default: int) -> int:
    """An environment variable that counts something."""
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise Refused(f"{name} is {text!r}, expected a whole number of at least 1")
    return int(text)

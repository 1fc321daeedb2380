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
    return Schema.of(model.TASK, model.TARGET, model.TIME, model.FEATURES)


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

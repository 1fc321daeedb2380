"""The ways to serve, and which keys of `serving` mean nothing under each: refused at the synth, with the reason."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Literal

from pydantic import Field

from config.values import Part

Mode = Literal["realtime", "serverless", "batch"]


class Batch(Part):
    """When a batch is predicted, and what is looked at."""

    hour_utc: Annotated[int, Field(ge=0, le=23)] = 2
    """When the files that came are predicted, each day."""
    lookback_days: Annotated[int, Field(ge=1, le=60)] = 7
    """Request files under an older day than this are not looked for."""


class Serverless(Part):
    """What a serverless endpoint gets; AWS bills memory times time, and nothing between two requests."""

    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = 2048
    """Of each container; AWS gives processors in proportion."""
    max_concurrency: Annotated[int, Field(ge=1, le=200)] = 10
    """Requests at once; AWS refuses what is beyond."""


NO_GUARDRAILS = (
    "SageMaker shifts no traffic of a serverless endpoint and watches no alarm: a release is all at once"
)
REFUSED = {
    "serverless": {
        "release": NO_GUARDRAILS,
        "instance_count": "there are no instances; say serverless.max_concurrency",
        "memory_gib": "there are no instances; say serverless.memory_mb",
        "vcpus": "AWS gives processors in proportion to serverless.memory_mb",
        "batch": "it is read under serving.mode: batch",
        "scaling": "there are no instances to add; AWS starts containers up to serverless.max_concurrency",
    },
    "batch": {
        "release": "a batch has no traffic to shift: a release is what the next transform runs",
        "capture_percent": "a batch keeps every prediction, so all of them are watched",
        "serverless": "it is read under serving.mode: serverless",
        "scaling": "a transform has the instances that instance_count says, and no longer than it runs",
    },
    "realtime": {
        "batch": "it is read under serving.mode: batch",
        "serverless": "it is read under serving.mode: serverless",
    },
}
"""By mode: the keys that it has no use for, and why."""


def refusals(mode: Mode, given: Set[str]) -> list[str]:
    """A sentence for each key that was given and that this mode has no use for.

    >>> refusals("realtime", {"mode", "batch"})
    ['batch cannot be set under serving.mode: realtime: it is read under serving.mode: batch']
    """
    return [
        f"{key} cannot be set under serving.mode: {mode}: {reason}"
        for key, reason in REFUSED[mode].items()
        if key in given
    ]

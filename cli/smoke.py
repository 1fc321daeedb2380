"""Ask the endpoint, and fail unless the model that is live answers with finite numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from cli.serving import live_release
from cli.source import Aws, CommandError
from domain.names import SMOKE_INFERENCE_ID
from domain.releases import model_stamp

Row = dict[str, Any]


def smoke(aws: Aws, features: Mapping[str, str]) -> str:
    """Send three rows under the names of `features`; says who answered. Raises CommandError if anything is amiss."""
    release = live_release(aws)
    if release is None:
        raise CommandError(
            f"no model is live at {aws.names.endpoint}, so there is nothing to prove; see ./tideline status"
        )
    rows = _rows(features)
    problem = _problem(_ask(aws, rows), len(rows), release.package_arn)
    if problem:
        raise CommandError(f"{aws.names.endpoint}: {problem}")
    return f"{model_stamp(release.package_arn)} answers {len(rows)} rows with finite numbers"


def smoke_batch(aws: Aws, *, hour_utc: int) -> str:
    """A batch answers nobody: says what its next transform runs. Raises CommandError if that is nothing."""
    release = live_release(aws)
    if release is None:
        raise CommandError(
            f"no model is live in {aws.names.deployment}, so there is nothing to prove; see ./tideline status"
        )
    model = model_stamp(release.package_arn)
    return f"{model} is live and serves by batch: nothing was asked; the transform at {hour_utc}:00 UTC is its proof"


def _rows(features: Mapping[str, str]) -> list[Row]:
    """Nothing known, zeros, and words that no training table has: any model must answer each."""
    numbers: Sequence[tuple[float | None, str]] = ((None, ""), (0.0, ""), (1.0, SMOKE_INFERENCE_ID))
    return [
        {name: number if kind == "number" else word for name, kind in features.items()}
        for number, word in numbers
    ]


def _ask(aws: Aws, rows: list[Row]) -> Any:
    try:
        answer = aws.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=aws.names.endpoint,
            ContentType="application/json",
            Accept="application/json",
            InferenceId=SMOKE_INFERENCE_ID,
            Body=json.dumps({"instances": rows}),
        )
    except ClientError as error:
        raise CommandError(f"{aws.names.endpoint}: the request was refused: {error}") from error
    return json.loads(answer["Body"].read())


def _problem(answer: Any, rows: int, package_arn: str) -> str:
    """What is wrong with an answer; nothing if it is right."""
    predictions = answer.get("predictions", []) if isinstance(answer, dict) else []
    if len(predictions) != rows:
        return f"got {len(predictions)} predictions for {rows} rows: {str(answer)[:200]}"
    values = [value for one in predictions for value in (one if isinstance(one, list) else [one])]
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in values):
        return f"got {predictions}, expected finite numbers"
    if answer.get("model") != package_arn:
        return f"{answer.get('model')!r} answered, but {package_arn!r} is released"
    return ""

"""The outside world: clients that ask, and the labels that come a day later. It writes nothing else."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from domain.loss import Prediction
from domain.names import Prefix
from rehearsal.scenarios.dataset import Hour, request_body
from rehearsal.scenarios.deployment import Deployment

LABEL_HOUR = 12
"""Labels of a day lie in the bucket from this hour (UTC) of the next day on."""


@dataclass(frozen=True)
class Answer:
    """One request as its client saw it; `predictions` is empty if it failed, `labels` if nobody labels it."""

    inference_id: str
    at: datetime
    model: str
    predictions: tuple[Prediction, ...]
    labels: tuple[str, ...]
    body: str
    rows: int
    while_changing: bool
    """Whether the endpoint was between two states when it was sent."""
    error: str = ""


@dataclass
class World:
    """Sends each hour's rows as one request and keeps what came back.

    While the endpoint is between two states it asks for the last hour's rows every minute anew, in two requests.
    """

    deployment: Deployment
    features: Sequence[str]
    target: str
    answers: list[Answer] = field(default_factory=list)
    again: list[Answer] = field(default_factory=list)
    """What was asked while the endpoint changed; nobody labels these."""
    _unlabelled: dict[date, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    _rows: list[list[str]] = field(default_factory=list)
    _asked_at: datetime | None = None

    def __post_init__(self) -> None:
        self.deployment.account.on_advance.append(self._watch_a_change)

    def ask(self, hour: Hour) -> Answer | None:
        """Its answer; None where that comes later."""
        self._rows = hour.cells(self.features)
        labels = tuple(row[self.target] for row in hour.rows)
        answer = self._ask(self._rows, hour.inference_id, hour.at, labels)
        self.answers.append(answer)
        self._unlabelled[hour.at.date()].append(answer)
        return answer

    @property
    def asked(self) -> list[Answer]:
        """Every request that was sent."""
        return [*self.answers, *self.again]

    def _watch_a_change(self) -> None:
        """A bake that nobody asks in proves nothing."""
        account = self.deployment.account
        minute = account.clock.now().replace(second=0, microsecond=0)
        if not account.in_transition or not self._rows or minute == self._asked_at:
            return
        self._asked_at = minute
        half = max(1, len(self._rows) // 2)
        for part, rows in enumerate((self._rows[:half], self._rows[half:])):
            if rows:
                self.again.append(self._ask(rows, f"{minute:%Y%m%dT%H%M}-{part}", minute, ()))

    def _ask(
        self, rows: Sequence[Sequence[str]], inference_id: str, at: datetime, labels: tuple[str, ...]
    ) -> Answer:
        body, model, predictions, problem = request_body(rows), "", (), ""
        while_changing = bool(self.deployment.account.in_transition)
        try:
            raw = self._invoke(body, inference_id)
            model, predictions = raw["model"], tuple(raw["predictions"])
        except Exception as error:  # a lost request is a finding, not the end of the rehearsal
            problem = f"{type(error).__name__}: {error}"
        return Answer(inference_id, at, model, predictions, labels, body, len(rows), while_changing, problem)

    def _invoke(self, body: str, inference_id: str) -> dict[str, Any]:
        response = self.deployment.account.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=self.deployment.names.endpoint,
            ContentType="text/csv",
            Accept="application/json",
            InferenceId=inference_id,
            Body=body.encode(),
        )
        return dict(json.loads(response["Body"].read()))

    def labels_due(self) -> datetime | None:
        """When the oldest day without labels gets them."""
        if not self._unlabelled:
            return None
        day = min(self._unlabelled) + timedelta(days=1)
        return datetime(day.year, day.month, day.day, LABEL_HOUR, tzinfo=self.answers[0].at.tzinfo)

    def deliver_labels(self) -> str:
        """Write the label file of the oldest day without one, in SageMaker's ground truth format."""
        day = min(self._unlabelled)
        labels = [(answer.inference_id, answer.labels) for answer in self._unlabelled.pop(day)]
        return self.put_labels(day + timedelta(days=1), day, labels)

    def put_labels(self, at: date, day: date, labels: Sequence[tuple[str, Sequence[str]]]) -> str:
        """Those of a day's requests, by inference id, in the folder of the day on which they come."""
        lines = [json.dumps(_truth(*one)) for one in labels]
        key = f"{Prefix.LABELS}{at:%Y/%m/%d}/{day:%Y-%m-%d}.jsonl"
        bucket = self.deployment.bucket("Data")
        body = ("\n".join(lines) + "\n").encode()
        self.deployment.account.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return key

    def give_up(self) -> None:
        """At the end of the season: every request has its answer by now, or its error."""


def _truth(inference_id: str, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "groundTruthData": {"data": "\n".join(labels), "encoding": "CSV"},
        "eventMetadata": {"eventId": inference_id},
        "eventVersion": "0",
    }

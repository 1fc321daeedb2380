"""The outside world of a deployment that serves by batch: a file of requests a day, labels once it is predicted."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from domain.loss import Prediction
from domain.names import Prefix
from rehearsal.scenarios.dataset import Hour, request_body
from rehearsal.scenarios.traffic import LABEL_HOUR, Answer, World

HAND_IN = timedelta(minutes=30)
"""So long after midnight the file of a day lies in the bucket."""


@dataclass
class Day:
    """What is to be predicted of one day, by the hour."""

    labels_at: datetime
    """When somebody looks next whether it is predicted, so that it can be labelled."""
    hours: list[Hour] = field(default_factory=list)


@dataclass
class BatchWorld(World):
    """Each day's rows are one file, handed in after midnight; each hour of it counts as one request."""

    days: dict[date, Day] = field(default_factory=dict)
    """Those without labels."""

    def __post_init__(self) -> None:
        """Nothing is asked while a release goes on: no endpoint changes."""

    def ask(self, hour: Hour) -> None:
        day = hour.at.date()
        if day not in self.days:
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            self.days[day] = Day(labels_at=midnight + timedelta(hours=LABEL_HOUR))
            account = self.deployment.account
            account.wake_at(midnight + HAND_IN, f"requests of {day}", lambda: self._hand_in(day))
        self.days[day].hours.append(hour)

    def labels_due(self) -> datetime | None:
        return min((day.labels_at for day in self.days.values()), default=None)

    def deliver_labels(self) -> str:
        """Write the labels of the day that is due, if it is predicted; else look again tomorrow."""
        date_, day = min(self.days.items(), key=lambda item: item[1].labels_at)
        predicted = self._predicted(date_)
        if predicted is None:
            day.labels_at += timedelta(days=1)
            return ""
        del self.days[date_]
        answers = self._answers(day, *predicted)
        self.answers += answers
        labels = tuple(label for answer in answers for label in answer.labels)
        return self.put_labels(day.labels_at.date(), date_, [(_inference_id(date_), labels)])

    def give_up(self) -> None:
        """What nobody predicted by the end is lost."""
        for day, waiting in sorted(self.days.items()):
            self.answers += self._answers(waiting, "", [], error=f"{_file(day)} was never predicted")
        self.days.clear()

    def _hand_in(self, day: date) -> None:
        rows = [row for hour in self.days[day].hours for row in hour.cells(self.features)]
        bucket, body = self.deployment.bucket("Data"), request_body(rows).encode()
        self.deployment.account.client("s3").put_object(Bucket=bucket, Key=_file(day), Body=body)

    def _predicted(self, day: date) -> tuple[str, list[Prediction]] | None:
        """The model and its predictions, from what the transform wrote for people."""
        s3, bucket = self.deployment.account.client("s3"), self.deployment.bucket("Data")
        for body in self.deployment.ledger_bodies("TRANSFORM"):
            if _file(day) in body["predicted"]:
                name = _file(day).removeprefix(Prefix.REQUESTS)
                key = f"{Prefix.PREDICTIONS}{body['job']}/{name}.out"
                lines = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()
                rest = (row[len(self.features) :] for row in csv.reader(lines))
                return body["package_arn"], [_prediction(cells) for cells in rest]
        return None

    def _answers(
        self, day: Day, model: str, predictions: list[Prediction], *, error: str = ""
    ) -> list[Answer]:
        values, answers = iter(predictions), []
        for hour in day.hours:
            cells = hour.cells(self.features)
            answers.append(
                Answer(
                    inference_id=hour.inference_id,
                    at=hour.at,
                    model=model,
                    predictions=tuple(next(values) for _ in cells) if predictions else (),
                    labels=tuple(row[self.target] for row in hour.rows),
                    body=request_body(cells),
                    rows=len(cells),
                    while_changing=False,
                    error=error,
                )
            )
        return answers


def _prediction(cells: list[str]) -> Prediction:
    """A number, or the probability of each class: what stands on a line after its input."""
    values = [float(cell) for cell in cells]
    return values[0] if len(values) == 1 else values


def _file(day: date) -> str:
    """Where the requests of a day lie: under the day on which they come."""
    return f"{Prefix.REQUESTS}{day + timedelta(days=1):%Y/%m/%d}/{day:%Y-%m-%d}.csv"


def _inference_id(day: date) -> str:
    return _file(day).removeprefix(Prefix.REQUESTS).removesuffix(".csv")

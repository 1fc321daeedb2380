"""Once a day: is the data sound, has traffic changed, and is the live model worse on the labels that came?"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from domain.capture import parse_capture
from domain.drift.counts import Counts, nothing
from domain.drift.effects import Yardstick, effects
from domain.drift.invalid import Fault, faults, unread_lines
from domain.drift.loss_watch import loss_evidence
from domain.drift.profile import DaySignals, Profile, day_signals
from domain.drift.rows import count_exchanges
from domain.drift.traffic_watch import TrafficWatch
from domain.labels import LabelDay, UsualLabels, wrong_labels
from domain.loss import LossDay
from domain.monitoring import (
    WITHOUT_PROFILE,
    LossEvidence,
    LossWindow,
    Traffic,
    closed_days,
    loss_days,
    loss_window,
    metrics,
    report,
    without_reference,
)
from domain.names import (
    DEPLOYMENT_DIMENSION,
    METRIC_NAMESPACE,
    METRIC_UNITS,
    SMOKE_INFERENCE_ID,
    VARIANT,
    Metric,
    Prefix,
)
from domain.releases import Champion
from domain.settings import CheckDriftSettings
from domain.snapshot import Manifest
from lambdas import aws
from lambdas.ledger import Ledger, utc_now

CATCH_UP_DAYS = 4
"""A day on which no check ran is counted by the next one, up to so many days back."""


@dataclass(frozen=True)
class Watch:
    """What is fitted once on a model's profile."""

    traffic: TrafficWatch
    yardstick: Yardstick


@dataclass(frozen=True)
class Counted:
    """A day's captured rows, and what is wrong with them."""

    rows: int
    skipped: int
    counts: Counts | None = None
    faults: tuple[Fault, ...] = ()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Any event -> the day's report; published as metrics and kept under monitor/. Nothing without a live model."""
    settings = CheckDriftSettings.from_env(os.environ)
    now, ledger = utc_now(), Ledger(settings.ledger_table)
    champion = ledger.champion()
    if champion is None:
        _publish(settings, {Metric.INVALID_DATA: 0.0}, now)  # that the check ran: its own alarm waits for it
        return {"day": None, "reason": "no model is live"}
    findings, published = Check(settings, ledger, champion, now).look()
    key = f"{Prefix.MONITOR}{findings['day']}.json"
    body = json.dumps(findings, indent=1).encode()
    aws.write(aws.client("s3"), settings.artefacts_bucket, key, body, kms_key_arn=settings.kms_key_arn)
    _publish(settings, published, now)
    aws.log("drift checked", **findings)
    return findings


class Check:
    """One look at one live model."""

    def __init__(
        self, settings: CheckDriftSettings, ledger: Ledger, champion: Champion, now: datetime
    ) -> None:
        self.settings, self.ledger, self.champion, self.now = settings, ledger, champion, now
        self.s3 = aws.client("s3")
        self.brought: dict[str, Any] = json.loads(aws.read_uri(self.s3, champion.report_uri))
        profile = aws.read_uri(self.s3, champion.profile_uri)
        self.watch = _fitted(profile, settings.min_rows, settings.false_alarms_per_year)

    def look(self) -> tuple[dict[str, Any], dict[str, float]]:
        """The findings, and what is published of them."""
        manifest = self._manifest()
        days = None if manifest is None else loss_days(manifest.parts, model=self.champion.package_arn)
        labels = self._labels(manifest)
        traffic, broken = self._traffic(labels[-1:])
        wrong = {day.day for day in labels if self._wrong(day)}
        evidence = self._evidence([day for day in days or [] if day.day not in broken | wrong])
        window = None if days is None else self._window(days)
        return report(window, evidence, traffic), metrics(window, evidence, traffic)

    def _traffic(self, newest_labels: Sequence[LabelDay]) -> tuple[Traffic, set[str]]:
        """Yesterday's traffic, and the days of this release whose data are broken."""
        release, since = self.champion.release_id, self.champion.since[:10]
        days = {body["day"]: body for body in self.ledger.watched(release)}
        due = {str(day): self._count(day) for day in _due(self.now.date(), since, days)}
        days |= {day: self._body(day, counted) for day, counted in due.items()}
        yesterday, counted = list(due.items())[-1]
        broken = {day for day, body in days.items() if body["broken"]}
        live = [_signals(days[day]) for day in sorted(days) if day > since and day not in broken]
        labels = [why for day in newest_labels for why in self._wrong(day)]
        traffic = Traffic(
            yesterday,
            counted.rows,
            counted.skipped,
            effects(self.watch.yardstick, counted.counts) if self.watch and counted.counts else (),
            (*map(str, counted.faults), *labels),
            self.watch.traffic.evidence(live) if self.watch else WITHOUT_PROFILE,
        )
        days[yesterday] |= {"labels": labels, "traffic": [asdict(one) for one in traffic.evidence]}
        for day in due:
            if day >= since:
                self.ledger.keep_watched(release, days[day])
        return traffic, broken

    def _count(self, day: date) -> Counted:
        """A day's capture, a file at a time."""
        bucket = self.settings.capture_bucket
        prefix = f"{Prefix.CAPTURE}{self.settings.endpoint_name}/{VARIANT}/{day:%Y/%m/%d}/"
        profile = self.watch.traffic.profile if self.watch else None
        columns = profile.columns if profile else self._columns()
        counts = nothing(profile.training.grids) if profile else None
        rows = skipped = read = 0
        for body in aws.each(lambda key: aws.read(self.s3, bucket, key), aws.keys(self.s3, bucket, prefix)):
            exchanges, bad = parse_capture(body.decode(errors="replace"), columns)
            skipped, read = skipped + bad, read + len(exchanges)
            exchanges = [one for one in exchanges if one.inference_id != SMOKE_INFERENCE_ID]
            rows += sum(len(exchange.rows) for exchange in exchanges)
            if profile and counts:
                model = self.champion.package_arn
                counts += count_exchanges(profile.training.grids, columns, exchanges, model=model)
        found = faults(profile.training, counts, profile.usual) if profile and counts else ()
        return Counted(rows, skipped, counts if rows else None, (*unread_lines(skipped, read), *found))

    def _columns(self) -> tuple[str, ...]:
        return tuple(feature["name"] for feature in self.brought["schema"]["features"])

    def _body(self, day: str, counted: Counted) -> dict[str, Any]:
        """What the ledger keeps of a day: signals and verdicts, no row."""
        values: Sequence[float | None] = ()
        if self.watch and counted.counts:
            values = day_signals(self.watch.traffic.profile.training, day, counted.counts).values
        return {
            "release_id": self.champion.release_id,
            "day": day,
            "rows": counted.rows,
            "values": list(values),
            "invalid": [str(fault) for fault in counted.faults],
            "broken": any(fault.is_broken for fault in counted.faults),
            "labels": [],
        }

    def _manifest(self) -> Manifest | None:
        latest = self.ledger.latest_snapshot()
        if latest is None:
            return None
        key = f"{Prefix.SNAPSHOTS}{latest['id']}/manifest.json"
        return Manifest.from_json(aws.read(self.s3, self.settings.data_bucket, key).decode())

    def _labels(self, manifest: Manifest | None) -> tuple[LabelDay, ...]:
        return manifest.labels.get(self.champion.package_arn, ()) if manifest else ()

    def _wrong(self, day: LabelDay) -> tuple[str, ...]:
        """Why a day's labels cannot be; nothing is known of them for a model that an earlier Tideline made."""
        brought = self.brought.get("reference", {}).get("labels")
        if not brought:
            return ()
        schema, days = self.brought["schema"], [LabelDay(*one) for one in brought]
        usual = UsualLabels.of(schema["task"], days, classes=len(schema.get("classes", ())))
        return wrong_labels(usual, day)

    def _evidence(self, days: Sequence[LossDay]) -> LossEvidence:
        """Anew from the release on, against the days that its package brought along."""
        today, delay = self.now.date(), self.settings.label_delay_days
        closed = closed_days(days, since=self.champion.since, today=today, label_delay_days=delay)
        reference = self.brought.get("reference")
        if reference is None:
            return without_reference(len(closed))
        return loss_evidence(
            [LossDay(*day) for day in reference["days"]],
            closed,
            min_rows=self.settings.min_rows,
            false_alarms_per_year=self.settings.false_alarms_per_year,
        )

    def _window(self, days: Sequence[LossDay]) -> LossWindow:
        return loss_window(
            days,
            model=self.champion.package_arn,
            heldout_loss=self.champion.heldout_loss,
            window_days=self.settings.window_days,
            min_rows=self.settings.min_rows,
        )


@lru_cache(maxsize=2)
def _fitted(profile: bytes, min_rows: int, false_alarms_per_year: float) -> Watch | None:
    """A package's profile never changes, so a warm function fits it once; None for one of an earlier Tideline."""
    read = Profile.from_json(profile)
    if read is None:
        return None
    return Watch(TrafficWatch(read, min_rows, false_alarms_per_year), Yardstick(read.training))


def _due(today: date, since: str, kept: Collection[str]) -> Iterator[date]:
    """The days to count, yesterday last: it is counted again whenever somebody asks."""
    for back in range(CATCH_UP_DAYS, 0, -1):
        day = today - timedelta(days=back)
        if back == 1 or (str(day) >= since and str(day) not in kept):
            yield day


def _signals(body: dict[str, Any]) -> DaySignals:
    return DaySignals(body["day"], body["rows"] if body["values"] else 0, tuple(body["values"]))


def _publish(settings: CheckDriftSettings, values: dict[str, float], now: datetime) -> None:
    dimensions = [{"Name": DEPLOYMENT_DIMENSION, "Value": settings.deployment}]
    data = [
        {
            "MetricName": name,
            "Value": value,
            "Unit": METRIC_UNITS[name],
            "Timestamp": now,
            "Dimensions": dimensions,
        }
        for name, value in sorted(values.items())
    ]
    aws.client("cloudwatch").put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=data)

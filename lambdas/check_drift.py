"""Once a day: the evidence against the live model on the labels that came, and how yesterday's traffic differs."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import Any

from domain.capture import parse_capture
from domain.drift.loss_watch import loss_evidence
from domain.loss import LossDay
from domain.monitoring import (
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
from domain.names import DEPLOYMENT_DIMENSION, METRIC_NAMESPACE, METRIC_UNITS, VARIANT, Prefix
from domain.profile import Profile
from domain.releases import Champion
from domain.settings import CheckDriftSettings
from domain.snapshot import Manifest
from lambdas import aws
from lambdas.ledger import Ledger, utc_now


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Any event -> the day's report; published as metrics and kept under monitor/. Nothing without a live model."""
    settings = CheckDriftSettings.from_env(os.environ)
    now, ledger = utc_now(), Ledger(settings.ledger_table)
    champion = ledger.champion()
    if champion is None:
        return {"day": None, "reason": "no model is live"}
    traffic = _traffic(settings, champion, now - timedelta(days=1))
    days = _labelled_days(settings, ledger, champion)
    window = None if days is None else _window(settings, champion, days)
    evidence = _evidence(settings, champion, days or [], now)
    findings = report(window, evidence, traffic)
    body = json.dumps(findings, indent=1).encode()
    key = f"{Prefix.MONITOR}{traffic.day}.json"
    aws.write(aws.client("s3"), settings.artefacts_bucket, key, body, kms_key_arn=settings.kms_key_arn)
    _publish(settings, metrics(window, evidence, traffic), now)
    aws.log("drift checked", **findings)
    return findings


def _traffic(settings: CheckDriftSettings, champion: Champion, day: datetime) -> Traffic:
    s3 = aws.client("s3")
    profile = Profile.from_json(aws.read_uri(s3, champion.profile_uri))
    columns = tuple(profile.grids)
    counts, skipped = profile.count([]), 0
    prefix = f"{Prefix.CAPTURE}{settings.endpoint_name}/{VARIANT}/{day:%Y/%m/%d}/"
    bucket = settings.capture_bucket
    for body in aws.each(lambda key: aws.read(s3, bucket, key), aws.keys(s3, bucket, prefix)):
        exchanges, bad = parse_capture(body.decode(errors="replace"), columns)
        skipped += bad
        for exchange in exchanges:
            counts += profile.count(exchange.rows)
    psi = profile.psi(counts) if counts.rows else {}
    return Traffic(f"{day:%Y-%m-%d}", counts.rows, skipped, psi)


def _labelled_days(settings: CheckDriftSettings, ledger: Ledger, champion: Champion) -> list[LossDay] | None:
    """The live model's days, from the last snapshot; None before there is one."""
    latest = ledger.latest_snapshot()
    if latest is None:
        return None
    key = f"{Prefix.SNAPSHOTS}{latest['id']}/manifest.json"
    manifest = Manifest.from_json(aws.read(aws.client("s3"), settings.data_bucket, key).decode())
    return loss_days(manifest.parts, model=champion.package_arn)


def _evidence(
    settings: CheckDriftSettings, champion: Champion, days: list[LossDay], now: datetime
) -> LossEvidence:
    """Anew from the release on, against the days that its package brought along."""
    brought = json.loads(aws.read_uri(aws.client("s3"), champion.report_uri)).get("reference")
    delay = settings.label_delay_days
    closed = closed_days(days, since=champion.since, today=now.date(), label_delay_days=delay)
    if brought is None:
        return without_reference(len(closed))
    return loss_evidence(
        [LossDay(*day) for day in brought["days"]],
        closed,
        min_rows=settings.min_rows,
        false_alarms_per_year=settings.false_alarms_per_year,
    )


def _window(settings: CheckDriftSettings, champion: Champion, days: list[LossDay]) -> LossWindow:
    return loss_window(
        days,
        model=champion.package_arn,
        heldout_loss=champion.heldout_loss,
        window_days=settings.window_days,
        min_rows=settings.min_rows,
    )


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

"""Build the next snapshot: the last one plus captured rows that got labels. Without one: the tables in history/."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from domain.capture import Exchange, Truth, parse_capture, parse_labels
from domain.events import iso
from domain.names import VARIANT, Prefix
from domain.settings import BuildSnapshotSettings
from domain.snapshot import (
    Manifest,
    Part,
    Schema,
    describe_part,
    encode_part,
    join,
    joined_rows,
    merged_labels,
    part_key,
    table_columns,
)
from lambdas import aws
from lambdas.ledger import Ledger, utc_now

HISTORY_TIME = "event_time"


class Builder:
    """One invocation: its clients, its settings and its clock."""

    def __init__(self, settings: BuildSnapshotSettings, now: datetime) -> None:
        self.settings = settings
        self.now = now
        self.s3 = aws.client("s3")
        self.ledger = Ledger(settings.ledger_table)

    def first(self) -> Manifest | None:
        """The tables under history/ as the first snapshot, each copied to a key of its content."""
        parts: list[Part] = []
        columns: set[tuple[str, ...]] = set()
        for key in aws.keys(self.s3, self.settings.data_bucket, Prefix.HISTORY):
            try:
                part, header = self._keep(self._read(key), time=HISTORY_TIME)
            except ValueError as error:
                raise ValueError(f"s3://{self.settings.data_bucket}/{key}: {error}") from error
            if part.key not in {one.key for one in parts}:
                parts.append(part)
            columns.add(header)
        if len(columns) > 1:
            raise ValueError(
                f"the tables under {Prefix.HISTORY} have {len(columns)} different headers: {sorted(columns)}"
            )
        return Manifest(columns.pop(), tuple(parts), iso(self.now)) if parts else None

    def next(self, previous: Manifest) -> Manifest | None:
        """The previous snapshot plus one part for each day whose label files are new; None if nothing is."""
        files = self._label_files()
        fresh = [key for key in files if key not in previous.label_files]
        if not fresh:
            return None
        schema = self._schema()
        added: list[Part] = []
        taken = self._joined(previous)
        unmatched, skipped, labels = 0, 0, previous.labels
        for day in sorted({_day_of(key) for key in fresh}):
            truths, bad_lines = self._truths([key for key in fresh if _day_of(key) == day])
            joined = join(self._exchanges(day, schema), truths, schema, taken=taken)
            unmatched += joined.unmatched
            skipped += bad_lines + joined.bad_labels
            labels = merged_labels(labels, joined.labels)
            if joined.rows:
                body = encode_part(table_columns(schema), joined.rows)
                added.append(self._keep(body, time=schema.time, label_day=day, loss=joined.loss)[0])
                taken |= joined_rows(body)
        return Manifest(
            columns=previous.columns,
            parts=(*previous.parts, *added),
            created=iso(self.now),
            previous=previous.id if added else previous.previous,
            label_files=tuple(files),
            unmatched_labels=previous.unmatched_labels + unmatched,
            skipped_lines=previous.skipped_lines + skipped,
            labels=labels,
        )

    def read_manifest(self, snapshot_id: str) -> str:
        return self._read(f"{Prefix.SNAPSHOTS}{snapshot_id}/manifest.json").decode()

    def publish(self, manifest: Manifest) -> None:
        """The manifest last, then the ledger: who reads the ledger finds all of it."""
        self._write(manifest.download_key, manifest.to_download(self.settings.data_bucket).encode())
        self._write(manifest.key, manifest.to_json().encode())
        self.ledger.set_latest_snapshot(
            {"id": manifest.id, "rows": manifest.rows, "created": manifest.created}
        )

    def _joined(self, previous: Manifest) -> set[tuple[str, str]]:
        """The rows that got a label on a day which is looked at again: a file sent twice adds none of them."""
        first, last = self._days(self.now)
        again = (part.key for part in previous.parts if first <= part.label_day <= last)
        return {row for key in again for row in _labelled(self.settings.data_bucket, key)}

    def _keep(self, body: bytes, *, time: str, **facts: Any) -> tuple[Part, tuple[str, ...]]:
        part, header = describe_part(body, version_id="", time=time, **facts)
        return replace(part, version_id=self._write(part_key(body), body)), header

    def _read(self, key: str) -> bytes:
        return aws.read(self.s3, self.settings.data_bucket, key)

    def _write(self, key: str, body: bytes) -> str:
        return aws.write(self.s3, self.settings.data_bucket, key, body, kms_key_arn=self.settings.kms_key_arn)

    def _days(self, last: datetime) -> tuple[str, str]:
        """The first and the last day that are looked at, as folders are named."""
        back = timedelta(days=self.settings.label_lookback_days)
        return f"{last - back:%Y/%m/%d}", f"{last:%Y/%m/%d}"

    def _label_files(self) -> list[str]:
        first, last = self._days(self.now)
        return list(aws.keys(self.s3, self.settings.data_bucket, Prefix.LABELS, first=first, last=last))

    def _truths(self, files: list[str]) -> tuple[list[Truth], int]:
        truths: list[Truth] = []
        skipped = 0
        for key in files:
            read, bad = parse_labels(self._read(key).decode(errors="replace"))
            truths += read
            skipped += bad
        return truths, skipped

    def _exchanges(self, label_day: str, schema: Schema) -> Iterator[Exchange]:
        first, last = self._days(datetime.strptime(label_day, "%Y/%m/%d").replace(tzinfo=UTC))
        prefix = f"{Prefix.CAPTURE}{self.settings.endpoint_name}/{VARIANT}/"
        bucket = self.settings.capture_bucket
        keys = aws.keys(self.s3, bucket, prefix, first=first, last=last)
        for exchanges in aws.each(lambda key: _captured(bucket, key, schema.features), keys):
            yield from exchanges

    def _schema(self) -> Schema:
        champion = self.ledger.champion()
        if champion is None:
            raise LookupError("there are labels but no live model to which they could belong")
        raw = json.loads(aws.read_uri(self.s3, champion.report_uri))["schema"]
        features = tuple(feature["name"] for feature in raw["features"])
        return Schema(raw["task"], raw["target"], raw["time"], features, tuple(raw.get("classes", ())))


def _day_of(key: str) -> str:
    return "/".join(key.removeprefix(Prefix.LABELS).split("/")[:3])


@lru_cache(maxsize=512)
def _captured(bucket: str, key: str, features: tuple[str, ...]) -> tuple[Exchange, ...]:
    """A capture file never changes, so a warm function reads it once."""
    text = aws.read(aws.client("s3"), bucket, key).decode(errors="replace")
    return tuple(parse_capture(text, features)[0])


@lru_cache(maxsize=64)
def _labelled(bucket: str, part_key: str) -> frozenset[tuple[str, str]]:
    """Nor does a part."""
    return frozenset(joined_rows(aws.read(aws.client("s3"), bucket, part_key)))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Any event -> {snapshot, rows, added_parts} or {snapshot: None, reason}. Running it twice changes nothing."""
    settings = BuildSnapshotSettings.from_env(os.environ)
    builder = Builder(settings, utc_now())
    latest = builder.ledger.latest_snapshot()
    if latest is None:
        manifest, known = builder.first(), 0
        reason = f"no table under {Prefix.HISTORY} in {settings.data_bucket}"
    else:
        previous = Manifest.from_json(builder.read_manifest(latest["id"]))
        manifest, known = builder.next(previous), len(previous.parts)
        reason = "no new label file"
    if manifest is None:
        aws.log("no new snapshot", reason=reason)
        return {"snapshot": None, "reason": reason}
    builder.publish(manifest)
    facts = {"snapshot": manifest.id, "rows": manifest.rows, "added_parts": len(manifest.parts) - known}
    aws.log(
        "snapshot built",
        **facts,
        unmatched_labels=manifest.unmatched_labels,
        skipped_lines=manifest.skipped_lines,
    )
    return facts

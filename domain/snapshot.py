"""A snapshot: the immutable list of parts that a training run reads, named by its content, written last."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from domain.capture import Answered, Exchange, Truth
from domain.classes import outcome
from domain.events import iso
from domain.labels import LabelDay, label_days
from domain.loss import LossDay, by_day, micro_loss, row_loss_day
from domain.names import Prefix

FORMATS = (1, 2, 3)
"""Those that this code reads; it writes the last. In the first a loss was summed by the day of the labels; the second
said nothing of the labels themselves."""
META_COLUMNS = ("_inference_id", "_row", "_model", "_prediction")
"""What the join adds to a part; training reads columns by name and takes none of these."""


@dataclass(frozen=True)
class Schema:
    """What the model calls its columns; it comes with the model."""

    task: str
    target: str
    time: str
    features: tuple[str, ...]
    classes: tuple[str, ...] = ()
    """Of a multiclass task, in the order of its probabilities."""


@dataclass(frozen=True)
class Part:
    """One immutable object of rows. `loss` is, per model stamp, the loss by day of the requests that it answered."""

    key: str
    version_id: str
    sha256: str
    rows: int
    first_time: str
    last_time: str
    label_day: str = ""
    loss: Mapping[str, tuple[LossDay, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """All parts of a snapshot, in order, and which label files it has consumed."""

    columns: tuple[str, ...]
    parts: tuple[Part, ...]
    created: str
    previous: str | None = None
    label_files: tuple[str, ...] = ()
    unmatched_labels: int = 0
    skipped_lines: int = 0
    labels: Mapping[str, tuple[LabelDay, ...]] = field(default_factory=dict)
    """Per model stamp, what its labels were like by day of the requests that it answered."""

    @property
    def id(self) -> str:
        """The content id: a hash over the parts' own hashes, in order."""
        return hashlib.sha256("|".join(part.sha256 for part in self.parts).encode()).hexdigest()[:16]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def key(self) -> str:
        return f"{Prefix.SNAPSHOTS}{self.id}/manifest.json"

    @property
    def download_key(self) -> str:
        return f"{Prefix.SNAPSHOTS}{self.id}/parts.manifest"

    def to_json(self) -> str:
        body = {"format": FORMATS[-1], "id": self.id, "rows": self.rows, **asdict(self)}
        body["parts"] = [{**asdict(part), "loss": _told(part.loss)} for part in self.parts]
        body["labels"] = _told(self.labels)
        return json.dumps(body, sort_keys=True, indent=1)

    def to_download(self, bucket: str) -> str:
        """The list of the parts in SageMaker's own manifest format, so that a job downloads just these.

        See the API page of S3DataSource, S3DataType ManifestFile.
        """
        return json.dumps([{"prefix": f"s3://{bucket}/"}, *(part.key for part in self.parts)])

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        raw = json.loads(text)
        if raw["format"] not in FORMATS:
            reads = ", ".join(map(str, FORMATS))
            raise ValueError(f"snapshot manifest: got format {raw['format']}; this code reads {reads}")
        read = _losses_of_the_first_format if raw["format"] == 1 else _losses
        parts = tuple(Part(**{**part, "loss": read(part)}) for part in raw["parts"])
        return cls(
            columns=tuple(raw["columns"]),
            parts=parts,
            created=raw["created"],
            previous=raw["previous"],
            label_files=tuple(raw["label_files"]),
            unmatched_labels=raw["unmatched_labels"],
            skipped_lines=raw["skipped_lines"],
            labels={
                model: tuple(LabelDay(*day) for day in days) for model, days in raw.get("labels", {}).items()
            },
        )


def _losses(part: Mapping[str, Any]) -> dict[str, tuple[LossDay, ...]]:
    return {model: tuple(LossDay(*day) for day in days) for model, days in part["loss"].items()}


def _losses_of_the_first_format(part: Mapping[str, Any]) -> dict[str, tuple[LossDay, ...]]:
    """It did not keep what the answers led to expect; the models of then brought no reference that asks for it."""
    day = part["label_day"].replace("/", "-")
    return {model: (LossDay(day, rows, micro, 0),) for model, (rows, micro) in part["loss"].items()}


def _told(by_model: Mapping[str, Sequence[LossDay | LabelDay]]) -> dict[str, list[list[Any]]]:
    return {model: [day.to_list() for day in days] for model, days in by_model.items()}


@dataclass(frozen=True)
class Joined:
    """Captured rows that got their label, as table rows, and what they say of each model's loss and labels."""

    rows: tuple[tuple[str, ...], ...]
    loss: Mapping[str, tuple[LossDay, ...]]
    labels: Mapping[str, tuple[LabelDay, ...]]
    unmatched: int

    @property
    def bad_labels(self) -> int:
        return sum(day.unusable for days in self.labels.values() for day in days)


def table_columns(schema: Schema) -> tuple[str, ...]:
    return (schema.time, *schema.features, schema.target, *META_COLUMNS)


def _judged(schema: Schema, answer: Answered, label: str, day: str) -> tuple[float, LossDay] | None:
    """What the label means and the row's loss, or None where it is none or is not one of this task."""
    try:
        target = outcome(schema.task, schema.classes, label)
        return target, row_loss_day(schema.task, day, answer, target)
    except (ValueError, OverflowError):  # round() of a loss that is not finite
        return None


def _told_prediction(prediction: Answered) -> str:
    return ";".join(map(repr, prediction)) if isinstance(prediction, tuple) else repr(prediction)


def _last_answers(exchanges: Iterable[Exchange]) -> dict[str, Exchange]:
    """One exchange an inference id. Where a request was sent again, its last answer is the one that was used."""
    known: dict[str, Exchange] = {}
    for exchange in exchanges:
        other = known.setdefault(exchange.inference_id, exchange)
        known[exchange.inference_id] = max(
            exchange, other, key=lambda e: (e.at, e.model, e.rows, repr(e.predictions))
        )
    return known


def _labels(truth: Truth, rows: int) -> tuple[str, ...]:
    """One label a row; a line break at the end begins no label of its own."""
    ends_with_break = len(truth.labels) == rows + 1 and truth.labels[-1] == ""
    return truth.labels[:-1] if ends_with_break else truth.labels


def join(
    exchanges: Iterable[Exchange],
    truths: Iterable[Truth],
    schema: Schema,
    *,
    taken: Collection[tuple[str, str]] = (),
) -> Joined:
    """Labels onto captured rows by inference id; a label without its request is counted as unmatched.

    Rows in `taken`, as (inference id, row), got their label before. Of two labels of a request the later one counts.
    """
    known = _last_answers(exchanges)
    rows: list[tuple[str, ...]] = []
    losses: dict[str, list[LossDay]] = defaultdict(list)
    judged: dict[str, list[LabelDay]] = defaultdict(list)
    unmatched = 0
    for truth in {truth.inference_id: truth for truth in truths}.values():
        exchange = known.get(truth.inference_id)
        labels = _labels(truth, len(exchange.rows) if exchange else 0)
        if exchange is None or len(exchange.rows) != len(labels):
            unmatched += 1
            continue
        for i, (cells, prediction, label) in enumerate(
            zip(exchange.rows, exchange.predictions, labels, strict=True)
        ):
            if (exchange.inference_id, str(i)) in taken:
                continue
            if not label:
                continue
            day = f"{exchange.at:%Y-%m-%d}"
            found = _judged(schema, prediction, label, day)
            if found is None:
                judged[exchange.model].append(LabelDay(day, 0, 1, 0))
                continue
            target, loss = found
            judged[exchange.model].append(LabelDay(day, 1, 0, micro_loss(abs(target))))
            meta = (exchange.inference_id, str(i), exchange.model, _told_prediction(prediction))
            rows.append((iso(exchange.at), *cells, label, *meta))
            losses[exchange.model].append(loss)
    loss_by_model = {model: tuple(by_day(found)) for model, found in sorted(losses.items())}
    labels_by_model = {model: label_days(found) for model, found in sorted(judged.items())}
    return Joined(tuple(sorted(rows)), loss_by_model, labels_by_model, unmatched)


def merged_labels(
    some: Mapping[str, tuple[LabelDay, ...]], more: Mapping[str, tuple[LabelDay, ...]]
) -> dict[str, tuple[LabelDay, ...]]:
    """Both together, by model and day."""
    models = sorted({*some, *more})
    return {model: label_days((*some.get(model, ()), *more.get(model, ()))) for model in models}


def encode_part(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as a gzipped CSV with a header; the same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)


def part_key(body: bytes) -> str:
    """A part is named by its content, so that writing it twice changes nothing."""
    return f"{Prefix.PARTS}{hashlib.sha256(body).hexdigest()[:16]}.csv.gz"


def describe_part(
    body: bytes,
    *,
    version_id: str,
    time: str,
    label_day: str = "",
    loss: Mapping[str, tuple[LossDay, ...]] | None = None,
) -> tuple[Part, tuple[str, ...]]:
    """What the manifest says of an object of rows, and its columns.

    Raises ValueError if it is not a gzipped CSV with the time column.
    """
    header, rows = _table(body)
    if not rows or time not in header:
        raise ValueError(f"a part needs a header with {time!r} and at least one row, got {header}")
    times = sorted(row[header.index(time)] for row in rows)
    sha256 = hashlib.sha256(body).hexdigest()
    part = Part(part_key(body), version_id, sha256, len(times), times[0], times[-1], label_day, loss or {})
    return part, header


def _table(body: bytes) -> tuple[tuple[str, ...], list[list[str]]]:
    """Header and rows of a gzipped CSV."""
    try:
        table = csv.reader(io.StringIO(gzip.decompress(body).decode(), newline=""), strict=True)
        header, *rows = [row for row in table if row] or [[]]
    except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"not a gzipped CSV in UTF-8: {error}") from error
    ragged = next((i for i, row in enumerate(rows, 1) if len(row) != len(header)), None)
    if ragged:
        raise ValueError(f"row {ragged} has {len(rows[ragged - 1])} cells, the header has {len(header)}")
    return tuple(header), rows


def joined_rows(body: bytes) -> set[tuple[str, str]]:
    """The rows that a part of captured rows holds, as (inference id, row); none for a table of history."""
    header, rows = _table(body)
    if not set(META_COLUMNS[:2]) <= set(header):
        return set()
    name, number = (header.index(column) for column in META_COLUMNS[:2])
    return {(row[name], row[number]) for row in rows}

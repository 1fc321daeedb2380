"""From a snapshot to a training and a test table: intact parts, sound rows, and the last days held out."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from domain.job_settings import CheckLimits
from domain.snapshot import FORMATS
from training import paths, tables, user
from training.checks import Verdict, check, enough_of_each_class, targets_usable
from training.errors import Refused
from training.schema import Schema

HOLDOUT_DAYS = 14


def main() -> None:
    schema = user.schema()
    holdout_days = user.whole_number("HOLDOUT_DAYS", HOLDOUT_DAYS)
    manifest = read_manifest(paths.processing("snapshot", "manifest.json"))
    table = read_parts(manifest, paths.processing("parts"))
    limits, ranges = CheckLimits.from_env(CheckLimits().to_env() | os.environ), user.ranges(schema)
    verdicts = check(table, schema, holdout_days, limits, ranges, manifest.get("created", ""))
    if not all(verdict.passed for verdict in verdicts):
        write_checks(manifest, verdicts, {})
        raise refusal(verdicts)
    train, test = split(table, schema, holdout_days)
    target = targets_usable(train, schema)
    verdicts.append(replace(target, check=f"{target.check} before the held-out days"))
    if target.passed:
        verdicts.append(enough_of_each_class(train, schema, limits))
    write_checks(manifest, verdicts, {"train": describe(train, schema), "test": describe(test, schema)})
    if not verdicts[-1].passed:
        raise refusal(verdicts)
    tables.write(paths.processing("train", "train.csv.gz"), train)
    tables.write(paths.processing("test", "test.csv.gz"), test)
    print(f"prepare:train_rows={len(train)}\nprepare:test_rows={len(test)}")


def read_manifest(file: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if manifest.get("format") not in FORMATS:
        reads = ", ".join(map(str, FORMATS))
        raise Refused(
            f"the snapshot's manifest has format {manifest.get('format')!r}, this image reads {reads}"
        )
    if not manifest["parts"]:
        raise Refused(f"snapshot {manifest['id']} has no parts; it needs at least one")
    return manifest


def read_parts(manifest: dict[str, Any], directory: Path) -> pd.DataFrame:
    """All rows, in the order of the manifest; columns that only say where a row came from are left out."""
    files = {file.relative_to(directory).as_posix(): file for file in directory.rglob("*") if file.is_file()}
    table = pd.concat([read_part(part, files) for part in manifest["parts"]], ignore_index=True).fillna("")
    return table[[name for name in table.columns if not name.startswith("_")]]


def read_part(part: dict[str, Any], files: dict[str, Path]) -> pd.DataFrame:
    """The file whose relative path ends the part's key, once its bytes are the ones the manifest names."""
    key = PurePosixPath(part["key"])
    tails = ["/".join(key.parts[start:]) for start in range(len(key.parts))]
    file = next((files[tail] for tail in tails if tail in files), None)
    if file is None:
        raise Refused(f"part {key} was not delivered; got {len(files)} other files")
    body = file.read_bytes()
    if (found := hashlib.sha256(body).hexdigest()) != part["sha256"]:
        raise Refused(f"part {key} has sha256 {found}, the manifest says {part['sha256']}: it was changed")
    rows = tables.read(body)
    if len(rows) != part["rows"]:
        raise Refused(f"part {key} has {len(rows)} rows, the manifest says {part['rows']}")
    return rows


def split(table: pd.DataFrame, schema: Schema, holdout_days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The last UTC days are the test set, and no day is in both."""
    times = tables.times(table, schema)
    table, times = table.loc[times.sort_values(kind="stable").index], times.sort_values(kind="stable")
    first_test_day = times.iloc[-1].normalize() - timedelta(days=holdout_days - 1)
    return table[times < first_test_day], table[times >= first_test_day]


def describe(table: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    return {
        "rows": len(table),
        "first_time": table[schema.time].iloc[0],
        "last_time": table[schema.time].iloc[-1],
    }


def write_checks(manifest: dict[str, Any], verdicts: list[Verdict], tables_: dict[str, Any]) -> None:
    report = {
        "snapshot": manifest["id"],
        "passed": all(verdict.passed for verdict in verdicts),
        "checks": [asdict(verdict) for verdict in verdicts],
        **tables_,
    }
    file = paths.processing("checks", "checks.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def refusal(verdicts: list[Verdict]) -> Refused:
    return Refused("; ".join(str(verdict) for verdict in verdicts if not verdict.passed))

"""False alarms: flights of a year whose days are dealt out anew within each weekday, so that nothing drifts.

Each draw is a season of the standard length. The model, its reference, the configuration and the rule are the product's
own; the account around them is left out, so that twenty draws take minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process a core

import numpy as np
import pandas as pd

from benchmarks.process import ROOT
from benchmarks.results import Claim
from config.schema import Config, Monitoring, load
from domain.drift.counts import count
from domain.drift.loss_watch import loss_evidence
from domain.drift.profile import Profile, day_signals
from domain.drift.rows import batch
from domain.drift.traffic_watch import TrafficWatch
from domain.loss import LossDay
from rehearsal.scenarios.load import STANDARD, find
from rehearsal.scenarios.table_changes import dealt

DRAWS = 20
ALLOWED = 1
"""One draw in twenty: what a false-alarm rate of 5% a season would allow."""
AT_ONCE = 2
ALARMS = ("loss", "traffic")


def measure() -> list[Claim]:
    with ProcessPoolExecutor(AT_ONCE) as pool:
        highest = list(pool.map(highest_evidence, range(1, DRAWS + 1)))
    return [claim for i, alarm in enumerate(ALARMS) for claim in _claims(alarm, [one[i] for one in highest])]


def _claims(alarm: str, highest: list[float]) -> Iterator[Claim]:
    claim = f"no more than {ALLOWED} of {DRAWS} seasons of shuffled days raises the {alarm} alarm"
    yield Claim(claim, sum(level >= 1 for level in highest), ALLOWED, "a rate of 5%", "seasons")
    what = f"the highest evidence of all of them on {alarm}"
    yield Claim(what, round(max(highest), 2), 1, "threshold", "of the threshold")


def highest_evidence(seed: int) -> tuple[float, float]:
    """The highest LossEvidence and TrafficEvidence of a season whose days the seed deals out; from 1 on it alarms."""
    config, season = load(ROOT / "config" / "dev.yaml"), find(STANDARD).file
    start, end = (f"{instant:%Y-%m-%d}" for instant in (season.start, season.end))
    seen = _seen(_table(seed), start, end, config)
    return _of_loss(seen, config.monitoring), _of_traffic(seen, config.monitoring)


def _of_traffic(seen: Seen, watch: Monitoring) -> float:
    from training import tables

    profile, schema = seen.profile, seen.schema
    traffic = TrafficWatch(profile, watch.min_rows, watch.false_alarms_per_year)
    of_day = pd.Series(seen.answers, index=seen.played.index)
    live = []
    for day, rows in seen.played.groupby(np.array(tables.days(seen.played, schema))):
        columns = {name: rows[name].tolist() for name in schema.names}
        cells = batch(profile.training.grids, columns, of_day[rows.index].to_numpy())
        live.append(day_signals(profile.training, str(day), count(profile.training.grids, cells)))
    found = (traffic.evidence(live[: number + 1]) for number in range(len(live)))
    return max(one.level for families in found for one in families)


def _of_loss(seen: Seen, watch: Monitoring) -> float:
    live = seen.lost
    return max(
        loss_evidence(
            seen.reference,
            live[: count + 1],
            min_rows=watch.min_rows,
            false_alarms_per_year=watch.false_alarms_per_year,
        ).level
        for count in range(len(live))
    )


def _table(seed: int) -> pd.DataFrame:
    """Each row with the day that it is dealt to as its time."""
    files = sorted((ROOT / "examples" / "flights").glob("*.csv.gz"))
    table = pd.concat([pd.read_csv(file, keep_default_na=False, dtype=str) for file in files])
    day = table["event_time"].str[:10]
    given = {theirs: mine for mine, theirs in dealt(sorted(day.unique()), seed).items()}
    table["event_time"] = day.map(given) + table["event_time"].str[10:]
    return table.sort_values("event_time", kind="stable").reset_index(drop=True)


@dataclass(frozen=True)
class Seen:
    """What the first model brings along, and the season as it answers it."""

    schema: Any
    reference: tuple[LossDay, ...]
    profile: Profile
    played: pd.DataFrame
    answers: np.ndarray
    lost: list[LossDay]


def _seen(table: pd.DataFrame, start: str, end: str, config: Config) -> Seen:
    from training import fitting, reference, tables, user  # late: each process has its own
    from training.profile import profile

    schema = user.schema()
    day = table[schema.time].str[:10]
    first_held_out = str(sorted(day[day < start].unique())[-config.gate.holdout_days])
    train, test = table[day < first_held_out], table[(day >= first_held_out) & (day < start)]
    fitted = fitting.fit(schema, tables.features(train, schema), tables.targets(train, schema))

    def answers(rows: pd.DataFrame) -> np.ndarray:
        return fitting.predict(schema, fitted, tables.features(rows, schema))

    known = reference.reference(schema, train, test, answers(test))
    played = table[(day >= start) & (day < end)]
    said = answers(played)
    lost = reference.day_losses(schema, played, said)
    brought = profile(schema, train, test, known.answers, answers(test))
    return Seen(schema, known.days, brought, played, said, lost)

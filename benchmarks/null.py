"""False alarms: flights of a year whose days are dealt out anew within each weekday, so that nothing drifts.

Each draw is a season of the standard length. The model, its reference, the configuration and the rule are the product's
own; the account around them is left out, so that twenty draws take minutes.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process a core

import numpy as np
import pandas as pd

from benchmarks.process import ROOT
from benchmarks.results import Claim
from config.schema import Config, load
from domain.drift.loss_watch import loss_evidence
from domain.loss import LossDay
from rehearsal.scenarios.load import STANDARD, find
from rehearsal.scenarios.table_changes import dealt

DRAWS = 20
ALLOWED = 1
"""One draw in twenty: what a false-alarm rate of 5% a season would allow."""
AT_ONCE = 2


def measure() -> list[Claim]:
    with ProcessPoolExecutor(AT_ONCE) as pool:
        highest = list(pool.map(highest_evidence, range(1, DRAWS + 1)))
    claim = f"no more than {ALLOWED} of {DRAWS} seasons of shuffled days raises the loss alarm"
    return [
        Claim(claim, sum(level >= 1 for level in highest), ALLOWED, "a rate of 5%", "seasons"),
        Claim(
            "the highest evidence of all of them", round(max(highest), 2), 1, "threshold", "of the threshold"
        ),
    ]


def highest_evidence(seed: int) -> float:
    """The highest LossEvidence of a season whose days the seed deals out; from 1 on a run would start."""
    config, season = load(ROOT / "config" / "dev.yaml"), find(STANDARD).file
    start, end = (f"{instant:%Y-%m-%d}" for instant in (season.start, season.end))
    reference, live = _seen(_table(seed), start, end, config)
    watch = config.monitoring
    return max(
        loss_evidence(
            reference,
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


def _seen(
    table: pd.DataFrame, start: str, end: str, config: Config
) -> tuple[tuple[LossDay, ...], list[LossDay]]:
    """The reference that the first model brings along, and the season's days as it loses on them."""
    from training import fitting, reference, tables, user  # late: each process has its own

    schema = user.schema()
    day = table[schema.time].str[:10]
    first_held_out = str(sorted(day[day < start].unique())[-config.gate.holdout_days])
    train, test = table[day < first_held_out], table[(day >= first_held_out) & (day < start)]
    fitted = fitting.fit(schema, tables.features(train, schema), tables.targets(train, schema))

    def answers(rows: pd.DataFrame) -> np.ndarray:
        return fitting.predict(schema, fitted, tables.features(rows, schema))

    known = reference.reference(schema, train, test, answers(test))
    played = table[(day >= start) & (day < end)]
    return known.days, reference.day_losses(schema, played, answers(played))

"""False alarms: flights of a year whose days are dealt out anew within each weekday, so that nothing drifts.

Each draw is a season of the standard length. The model, the configuration and the decision are the product's own;
the account around them is left out, so that twenty draws take minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

from benchmarks.process import ROOT
from benchmarks.results import Claim
from config.schema import Config, load
from domain.monitoring import loss_window
from domain.snapshot import Part
from rehearsal.scenarios.load import STANDARD, find
from rehearsal.scenarios.table_changes import dealt

DRAWS = 20
ALLOWED = 1
"""One draw in twenty: what a false-alarm rate of 5% a season would allow."""
AT_ONCE = 2


def measure() -> list[Claim]:
    with ProcessPoolExecutor(AT_ONCE) as pool:
        highest = list(pool.map(highest_ratio, range(1, DRAWS + 1)))
    threshold = load(ROOT / "config" / "dev.yaml").monitoring.loss_ratio_threshold
    false = sum(ratio > threshold for ratio in highest)
    claim = f"no more than {ALLOWED} of {DRAWS} seasons of shuffled days raises the loss alarm"
    return [Claim(claim, false, ALLOWED, "a rate of 5%", "seasons")]


def highest_ratio(seed: int) -> float:
    """The largest LossRatio of a season whose days the seed deals out; above the threshold a run would start."""
    config, season = load(ROOT / "config" / "dev.yaml"), find(STANDARD).file
    table = _table()
    given = dealt(sorted(table["day"].unique()), seed)
    day = table["day"].map({theirs: day for day, theirs in given.items()})
    start, end = (f"{instant:%Y-%m-%d}" for instant in (season.start, season.end))
    first_held_out = _first_held_out(day, start, config)
    loss = _losses(table, trained_on=day < first_held_out)
    heldout = float(loss[(day >= first_held_out) & (day < start)].mean())
    parts = list(_parts(loss, day, start, end))
    windows = (_ratio(parts[: count + 1], heldout, config) for count in range(len(parts)))
    return max(ratio for ratio in windows if ratio is not None)


def _table() -> pd.DataFrame:
    files = sorted((ROOT / "examples" / "flights").glob("*.csv.gz"))
    table = pd.concat([pd.read_csv(file, keep_default_na=False, dtype=str) for file in files])
    return table.assign(day=table["event_time"].str[:10]).reset_index(drop=True)


def _first_held_out(day: pd.Series, start: str, config: Config) -> str:
    return str(sorted(day[day < start].unique())[-config.gate.holdout_days])


def _losses(table: pd.DataFrame, *, trained_on: pd.Series) -> pd.Series:
    """The Brier score of each row by the example's own model, trained on some of them."""
    from training import model  # late: each process has its own

    features = table[list(model.FEATURES)].copy()
    for name, kind in model.FEATURES.items():
        if kind == "number":
            features[name] = pd.to_numeric(features[name], errors="coerce").astype("float32")
    target = table[model.TARGET].astype(int)
    fitted = model.estimator().fit(features[trained_on], target[trained_on])
    return pd.Series(np.square(fitted.predict_proba(features)[:, 1] - target))


def _parts(loss: pd.Series, day: pd.Series, start: str, end: str) -> Iterator[Part]:
    played = (day >= start) & (day < end)
    for label_day, of_day in loss[played].groupby(day[played]):
        micro = round(float(of_day.sum()) * 1e6)
        sums = {"live": (len(of_day), micro)}
        yield Part("", "", "", len(of_day), "", "", label_day=str(label_day), loss=sums)


def _ratio(parts: list[Part], heldout: float, config: Config) -> float | None:
    watch = config.monitoring
    return loss_window(
        parts,
        model="live",
        heldout_loss=heldout,
        window_days=watch.window_days,
        min_rows=watch.min_rows,
    ).ratio

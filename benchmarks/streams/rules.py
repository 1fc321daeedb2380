"""The rules in use today, written out on our counts; none of their packages is installed here.

Of a window each says: alarm or not. Their sources: Evidently's DataDriftPreset (Wasserstein and Jensen-Shannon at
0.1, half of the columns), NannyML's univariate drift (Jensen-Shannon, mean and three deviations of the reference's
chunks), Model Monitor (Deequ's largest difference, less 1.8 times its error, at 0.1), river's ADWIN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.drift.counts import Counts
from domain.drift.effects import Yardstick, cumulative

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Distances:
    """Of one window from the training rows, a value a feature: numbers first, then categories."""

    rows: int
    largest: Floats
    """The largest difference of the distributions: KS of numbers, L-infinity of categories."""
    p_values: Floats
    psi: Floats
    jensen_shannon: Floats
    wasserstein: Floats
    """Of numbers alone, in standard deviations of training."""


def distances(yardstick: Yardstick, counts: Counts) -> Distances:
    now, before = cumulative(counts), yardstick.cumulative
    n, m = counts.rows, yardstick.training.counts.rows
    gaps = np.abs(now - before)
    largest = gaps.max(1)
    p, q = yardstick.deciles(before), yardstick.deciles(now)
    pairs = list(zip(yardstick.training.counts.categories, counts.categories, strict=True))
    mixes = [(a / max(a.sum(), 1), b / max(b.sum(), 1)) for a, b in pairs]
    return Distances(
        rows=n,
        largest=np.array([*largest, *(float(np.abs(a - b).max()) for a, b in mixes)]),
        p_values=np.array([*(_ks(d, n, m) for d in largest), *(_chi2(a, b) for a, b in pairs)]),
        psi=np.array([*_psi(p, q), *(float(_psi(a, b)) for a, b in mixes)]),
        jensen_shannon=np.array([*_jensen_shannon(p, q), *(float(_jensen_shannon(a, b)) for a, b in mixes)]),
        wasserstein=yardstick.wasserstein(gaps),
    )


def _psi(p: Floats, q: Floats) -> Floats:
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return np.asarray(((q - p) * np.log(q / p)).sum(-1))


def _jensen_shannon(p: Floats, q: Floats) -> Floats:
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (np.where(x > 0, x * np.log2(x / middle), 0).sum(-1) for x in (p, q))
    return np.asarray(np.sqrt(np.maximum(0, (a + b) / 2)))


def _ks(d: float, n: int, m: int) -> float:
    """Kolmogorov's p-value with Stephens' correction."""
    size = n * m / (n + m)
    x = d * (math.sqrt(size) + 0.12 + 0.11 / math.sqrt(size))
    if x < 0.2:
        return 1.0
    series = (2 * (-1.0) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 30))
    return float(min(1.0, max(0.0, sum(series))))


def _chi2(training: NDArray[np.int64], window: NDArray[np.int64]) -> float:
    """The p-value of two mixes being one, by Wilson and Hilferty's cube root."""
    both = training + window
    seen = both > 0
    n, m = window.sum(), training.sum()
    freedom = int(seen.sum()) - 1
    if not n or not freedom:
        return 1.0
    expected = both[seen] * n / (n + m), both[seen] * m / (n + m)
    x = float(((window[seen] - expected[0]) ** 2 / expected[0]).sum())
    x += float(((training[seen] - expected[1]) ** 2 / expected[1]).sum())
    z = ((x / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return math.erfc(z / math.sqrt(2)) / 2


RULES = (
    "Evidently's default, written out",
    "Evidently's any column, written out",
    "Model Monitor's 0.1, written out",
    "KS and chi-squared at 0.05",
    "the same with Bonferroni",
    "PSI above 0.2",
    "NannyML's default, written out",
)
ADWIN = "ADWIN on the mean score, written out"


def alarms(
    reference: list[Distances], after: list[Distances], training_rows: int
) -> dict[str, NDArray[np.bool_]]:
    """(windows,) of alarms for each of RULES."""
    rows = np.array([d.rows for d in after])[:, None]
    largest, p, psi, jensen, wasserstein = (
        np.array([getattr(d, name) for d in after])
        for name in ("largest", "p_values", "psi", "jensen_shannon", "wasserstein")
    )
    numbers = wasserstein.shape[1]
    drifted = np.hstack([wasserstein >= 0.1, jensen[:, numbers:] >= 0.1])
    robust = largest - 1.8 * np.sqrt((training_rows + rows) / (training_rows * rows))
    chunks = np.array([d.jensen_shannon for d in reference])
    found = (
        drifted.mean(1) >= 0.5,
        drifted.any(1),
        (robust > 0.1).any(1),
        (p < 0.05).any(1),
        (p < 0.05 / p.shape[1]).any(1),
        (psi > 0.2).any(1),
        (jensen > chunks.mean(0) + 3 * chunks.std(0)).any(1),
    )
    return dict(zip(RULES, found, strict=True))


def adwin(values: Floats, *, delta: float = 0.002, longest: int = 2000) -> NDArray[np.bool_]:
    """Bifet and Gavalda's ADWIN on values between 0 and 1, every cut of the last `longest` values tried."""
    found = np.zeros(len(values), bool)
    begin = 0
    for t in range(1, len(values)):
        begin = max(begin, t + 1 - longest)
        kept = values[begin : t + 1]
        if len(kept) < 10:
            continue
        left = np.arange(5, len(kept) - 4)
        sums = np.cumsum(kept)
        gap = np.abs(sums[left - 1] / left - (sums[-1] - sums[left - 1]) / (len(kept) - left))
        harmonic = 1 / (1 / left + 1 / (len(kept) - left))
        confidence = math.log(2 * math.log(len(kept)) / delta)
        bound = np.sqrt(2 / harmonic * kept.var() * confidence) + 2 / (3 * harmonic) * confidence
        if (gap > bound).any():
            found[t] = True
            begin += int(left[int(np.argmax(gap - bound))])
    return found

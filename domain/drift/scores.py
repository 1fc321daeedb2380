"""Residuals -> normal scores: how unusual a window is among the reference windows, on a scale with variance one."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np

from domain.drift.grid import Floats

TWO_SIGMA = 2.0


@cache
def _table(size: int) -> Floats:
    """By a residual's rank among `size` others, counted in halves from 0 to 2 size: its normal quantile."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((half + 1) / (2 * size + 2)) for half in range(2 * size + 1)])


def normal_scores(pool: Floats, residuals: Floats) -> Floats:
    """Smoothed conformal: the normal quantile of a residual's rank among the pool's; ties count half.

    `pool` is sorted. No score is beyond the quantile of 1 / (2 n + 2): a pool cannot say more than its size.

    >>> pool = np.array([-1.0, 0.0, 0.0, 1.0])
    >>> [round(float(z), 2) for z in normal_scores(pool, np.array([-9.0, 0.0, 9.0]))]
    [-1.28, 0.0, 1.28]
    """
    below, upto = (np.searchsorted(pool, residuals, side=side) for side in ("left", "right"))
    return np.asarray(_table(len(pool))[below + upto])


def own_scores(residuals: Floats) -> Floats:
    """The scores of the pool's own residuals, in their order, with mean zero; all zero if they are all alike."""
    scores = normal_scores(np.sort(residuals), residuals)
    return scores - scores.mean() if residuals.std() > 0 else np.zeros_like(residuals)


def long_run_variance(scores: Floats, lags: int) -> float:
    """Variance of a long sum over that of one score: 1 without autocorrelation (Bartlett's weights).

    What lies above 1 is estimated from few windows; two of its standard errors are added.

    >>> long_run_variance(np.array([1.0, -1.0] * 50), 5)
    1.0
    """
    number = len(scores)
    lags = min(lags, number // 4)
    variance = float((scores**2).mean())
    if not variance or not lags:
        return 1.0
    found = 1.0
    for lag in range(1, lags + 1):
        weight = 1 - lag / (lags + 1)
        found += 2 * weight * float((scores[lag:] * scores[:-lag]).sum()) / number / variance
    error = float(np.sqrt(4 * lags / (3 * number)))
    return max(1.0, 1 + (found - 1) * (1 + TWO_SIGMA * error))

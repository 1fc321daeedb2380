"""Evidence that something changed: a mixture of Shiryaev-Roberts e-detectors (Shin, Ramdas, Rinaldo 2024).

Per signal, size of shift and direction: M <- (M + 1) exp(size (z - tolerance) - size^2 variance / 2). Averaging
over all of them keeps what each one promises: with independent standard normal scores the mean time to a false
alarm at threshold c is at least c windows, however many signals there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.drift.grid import Floats

SIZES = np.array([0.25, 0.5, 1.0, 2.0])
"""Shifts that are looked for, in standard deviations of a window's score."""
FULL = 1e200
"""Beyond it evidence is not counted: a float ends at 1e308."""


@dataclass(frozen=True)
class Betting:
    """How much each signal, direction and size may bet; all arrays are (signals, 8) or broadcast to it."""

    weights: Floats
    """Sum to one."""
    tolerance: Floats
    """(signals, 1): how far the reference's mean may be off, in scores."""
    variance: Floats
    """(signals, 1): the long-run variance of the scores."""


@dataclass(frozen=True)
class Evidence:
    """After some windows: `amount` and, per bet, `since`, the window from which on it counts."""

    amount: Floats
    since: NDArray[np.int64]

    @classmethod
    def none(cls, signals: int) -> Evidence:
        return cls(np.zeros((signals, 2 * len(SIZES))), np.zeros((signals, 2 * len(SIZES)), np.int64))


def betting(masses: Floats, one_sided: NDArray[np.bool_], tolerance: Floats, variance: Floats) -> Betting:
    """Spread each signal's mass evenly over sizes and, unless it is one-sided, over both directions."""
    up = np.where(one_sided, 1.0, 0.5)[:, None] / len(SIZES)
    down = np.where(one_sided, 0.0, 0.5)[:, None] / len(SIZES)
    share = np.hstack([np.repeat(up, len(SIZES), 1), np.repeat(down, len(SIZES), 1)])
    weights = (masses / masses.sum())[:, None] * share
    return Betting(weights, tolerance[:, None], variance[:, None])


def update(evidence: Evidence, bets: Betting, scores: Floats, window: int) -> Evidence:
    """The evidence after one more window; a signal whose score is NaN says nothing and keeps what it has."""
    known = np.isfinite(scores)
    z = np.where(known, scores, 0.0)[:, None]
    sizes = np.concatenate([SIZES, SIZES])
    signs = np.repeat([1.0, -1.0], len(SIZES))
    factor = np.exp(sizes * (z * signs - bets.tolerance) - sizes**2 * bets.variance / 2)
    amount = np.minimum((evidence.amount + 1) * factor, FULL)
    since = np.where(evidence.amount < 1, window, evidence.since)
    keep = ~known[:, None]
    return Evidence(np.where(keep, evidence.amount, amount), np.where(keep, evidence.since, since))


def by_signal(evidence: Evidence, bets: Betting) -> Floats:
    """(signals,): what each signal adds to the evidence; the sum is the one number."""
    found: Floats = (evidence.amount * bets.weights).sum(1)
    return found

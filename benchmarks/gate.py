"""The gate on simulated pairs of models: how often it lets a worse one through, and refuses one that is as good.

A world has days of different kinds (storms) on which both models lose more, and a challenger whose true loss is so many
per cent above the champion's, on some days more and on some less. The decision is the product's own.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks.results import Claim
from config.trust import Gate
from domain.gate import CONFIDENCE, DayLoss, decide_gate

PAIRS = 1000
ROWS_A_DAY = 900
AT_ONCE = 2
DEVIATION_OF_DAYS = 0.03
"""How much the challenger's advantage differs from day to day, as a share of the loss."""


def pair(excess: float, days: int, seed: int) -> list[DayLoss]:
    """One fortnight of both models; the challenger's true loss is `excess` above the champion's."""
    rng = np.random.default_rng([seed, days, round((1 + excess) * 1000)])
    mean = 0.15 * rng.gamma(4, 0.25, days)
    advantage = 1 + excess + rng.normal(0, DEVIATION_OF_DAYS, days)
    noise = rng.normal(0, 0.1 / np.sqrt(ROWS_A_DAY), days)
    return [
        DayLoss(
            f"{day:02d}",
            ROWS_A_DAY,
            float(ROWS_A_DAY * (loss * better + wobble * 0.1)),
            float(ROWS_A_DAY * loss),
            ROWS_A_DAY * 0.16,
        )
        for day, (loss, better, wobble) in enumerate(zip(mean, advantage, noise, strict=True))
    ]


def promoted(case: tuple[float, int]) -> float:
    """Of so many pairs with this excess over so many days, the share in percent that passes."""
    excess, days = case
    gate = Gate()
    passed = sum(
        decide_gate(pair(excess, days, seed), margin=gate.margin, resamples=gate.resamples).passed
        for seed in range(PAIRS)
    )
    return 100 * passed / PAIRS


def measure() -> list[Claim]:
    margin, days = Gate().margin, Gate().holdout_days
    cases = [(margin, days), (2 * margin, days), (0.0, days), (-margin, days), (margin, 28), (0.0, 28)]
    with ProcessPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(cases, pool.map(promoted, cases), strict=True))
    allowed = round(100 * (1 - CONFIDENCE), 1)
    return [
        Claim(
            f"worse by just the margin ({margin:.0%}), {days} days: let through",
            found[margin, days],
            allowed,
            "stated level",
            "%",
        ),
        Claim(
            f"worse by just the margin ({margin:.0%}), 28 days: let through",
            found[margin, 28],
            allowed,
            "stated level",
            "%",
        ),
        Claim(
            f"worse by twice the margin, {days} days: let through",
            found[2 * margin, days],
            allowed,
            "stated level",
            "%",
        ),
        Claim(f"just as good, {days} days: refused", 100 - found[0.0, days], 20, "a power of 80%", "%"),
        Claim("just as good, 28 days: refused", 100 - found[0.0, 28], 20, "a power of 80%", "%"),
        Claim(
            f"better by the margin, {days} days: refused",
            100 - found[-margin, days],
            20,
            "a power of 80%",
            "%",
        ),
    ]

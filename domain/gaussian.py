"""Beliefs about a few dozen correlated numbers, and what an observation of some says of the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Covariance = Callable[[int, int], float]


@dataclass(frozen=True)
class Observation:
    """A value seen, and the variance of its noise."""

    value: float
    noise: float


@dataclass(frozen=True)
class Beliefs:
    """A mean and a variance for each number."""

    mean: tuple[float, ...]
    variance: tuple[float, ...]


def cholesky(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The lower triangle L with L Lᵀ = matrix. Raises ValueError if the matrix is not positive definite.

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]])
    [[2.0, 0.0], [1.0, 2.0]]
    """
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for i in range(size):
        row = lower[i]
        for j in range(i):
            other = lower[j]
            row[j] = (matrix[i][j] - sum(map(float.__mul__, row[:j], other[:j]))) / other[j]
        rest = matrix[i][i] - sum(value * value for value in row[:i])
        if rest <= 0:
            raise ValueError(f"got a matrix that is not positive definite, at row {i}")
        row[i] = math.sqrt(rest)
    return lower


def forward(lower: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """x with L x = right."""
    solved: list[float] = []
    for row, value in zip(lower, right, strict=True):
        done = len(solved)
        solved.append((value - sum(map(float.__mul__, row[:done], solved))) / row[done])
    return solved


def condition(mean: Sequence[float], covariance: Covariance, seen: Mapping[int, Observation]) -> Beliefs:
    """Gaussian beliefs after observations: each number moves with those that it is correlated with."""
    size, places = len(mean), sorted(seen)
    if not places:
        return Beliefs(tuple(mean), tuple(covariance(i, i) for i in range(size)))
    noisy = [[covariance(i, j) + (seen[i].noise if i == j else 0.0) for j in places] for i in places]
    lower = cholesky(noisy)
    surprise = forward(lower, [seen[i].value - mean[i] for i in places])
    means, variances = [], []
    for i in range(size):
        share = forward(lower, [covariance(i, j) for j in places])
        means.append(mean[i] + sum(map(float.__mul__, share, surprise)))
        variances.append(max(covariance(i, i) - sum(one * one for one in share), 1e-12))
    return Beliefs(tuple(means), tuple(variances))


def normal_cdf(z: float) -> float:
    """
    >>> round(normal_cdf(1.645), 3)
    0.95
    """
    return 0.5 * math.erfc(-z / math.sqrt(2))


def student_cdf(t: float) -> float:
    """Of Student's t with four degrees of freedom: tails for a scatter that is itself known from few runs.

    >>> round(student_cdf(2.132), 3)
    0.95
    """
    wide = 1 + t * t / 4
    return 0.5 + 0.375 * t / math.sqrt(wide) * (1 - t * t / wide / 12)

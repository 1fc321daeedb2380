"""The parts of a dashboard that repeat: a graph with its unit, its scale and its limit; the end of a log query."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch

HALF, WHOLE = 12, 24
"""Widths on a grid of 24 columns."""
HEIGHT = 6
RED_AT = cloudwatch.Color.RED


def latest(count: int) -> list[str]:
    return ["sort @timestamp desc", f"limit {count}"]


def graph(
    title: str,
    metrics: Sequence[cloudwatch.IMetric],
    *,
    label: str,
    line: tuple[float, str] | None = None,
    lowest: float | None = 0,
    highest: float | None = None,
    width: int = HALF,
) -> cloudwatch.GraphWidget:
    annotations = (
        [cloudwatch.HorizontalAnnotation(value=line[0], label=line[1], color=RED_AT)] if line else []
    )
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_y_axis=cloudwatch.YAxisProps(label=label, show_units=False, min=lowest, max=highest),
        left_annotations=annotations,
        width=width,
        height=HEIGHT,
    )

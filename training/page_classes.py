"""The page's part on a model that chooses among classes: each class, and which is taken for which."""

from __future__ import annotations

from typing import Any

from training.multiclass import NAME
from training.page_tables import table

MOST_CLASSES = 12
"""Of a confusion matrix on a page; beyond, report.json has it."""


def of_classes(report: dict[str, Any]) -> str:
    rows = [
        (
            one["class"],
            one["rows"],
            one["training_share"],
            *(one[metric]["value"] for metric in ("precision", "recall", "f1")),
            *(one["f1"]["interval"] or (None, None)),
        )
        for one in report["per_class"]
    ]
    header = ("class", "rows", "training share", "precision", "recall", "F1", "95% from", "to")
    return _matrix(report[NAME]["confusion_matrix"]) + table(header, rows)


def _matrix(matrix: dict[str, dict[str, int]]) -> str:
    if len(matrix) > MOST_CLASSES:
        return "<p>The confusion matrix is in report.json.</p>"
    said = table(
        ("truth", *(f"said {one}" for one in matrix)),
        [(one, *row.values()) for one, row in matrix.items()],
    )
    return f"<p>Said is the most probable class.</p>{said}"

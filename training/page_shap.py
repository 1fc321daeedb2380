"""The page's part on what moved the answers; empty where the configuration did not ask."""

from __future__ import annotations

from typing import Any

from training.page_tables import table

MOST_FEATURES = 8
"""Of one row."""


def moved(shap: dict[str, Any] | None) -> str:
    if not shap:
        return ""
    said = (
        f"<p>SHAP values of {shap['rows']} held-out rows against {shap['background_rows']} training rows: how far "
        "a feature moved the answer. First their mean size, then some rows, each from the average to its answer.</p>"
    )
    overall = table(("feature", "mean size"), [(one["feature"], one["value"]) for one in shap["features"]])
    rows = [
        (
            number,
            one["average"],
            ", ".join(f"{f['feature']} {f['value']:+.4f}" for f in one["features"][:MOST_FEATURES]),
            one["answer"],
        )
        for number, one in enumerate(shap["samples"], start=1)
    ]
    return said + overall + table(("row", "average", "moved by", "answer"), rows)

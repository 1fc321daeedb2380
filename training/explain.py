"""What moved the answers: SHAP values of some held-out rows, by the `shap` library, if the configuration asks for them.

A value is how far a feature moved the answer from what the model says on average; a row's values and the average sum to
its answer. Only names, values and answers are kept, no cell of a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import tables
from training.artefact import Model
from training.errors import Refused

BACKGROUND_ROWS = 20
"""Training rows that stand for "on average": the cost grows with them."""
PERMUTATIONS = 4
SAMPLES = 5
"""Rows that are shown one by one; the others count in the mean."""
Matrix = NDArray[np.float64]


def explain(model: Model, train: pd.DataFrame, test: pd.DataFrame, rows: int) -> dict[str, Any]:
    """The mean size of each feature's values over so many held-out rows, evenly spread, and the values of a few.

    Of a multiclass model they are of the probability of the class that the row is said to be.
    """
    try:
        import shap
    except ImportError:
        raise Refused(
            f"explain.shap_rows is {rows} and the image has no library shap; add a line shap to "
            "training/requirements.txt and run `make lock`, or set it to 0"
        ) from None
    chosen, background = _spread(test, rows), _spread(train, BACKGROUND_ROWS)
    coded = _Coded(model, background, chosen)
    explainer = shap.PermutationExplainer(coded.answer, shap.maskers.Independent(coded.background), seed=0)
    evaluations = PERMUTATIONS * (2 * len(coded.names) + 1)
    found = explainer(coded.rows, max_evals=evaluations, silent=True)
    answers = coded.answer(coded.rows)
    values, base = np.asarray(found.values), np.asarray(found.base_values)
    if values.ndim == 3:
        said = answers.argmax(axis=1)
        each = np.arange(len(said))
        values, base, answers = values[each, :, said], base[each, said], answers[each, said]
    return {
        "rows": len(values),
        "background_rows": len(coded.background),
        "features": _ranked(coded.names, np.abs(values).mean(axis=0)),
        "samples": [
            {
                "answer": float(answers[i]),
                "average": float(base[i]),
                "features": _ranked(coded.names, values[i]),
            }
            for i in range(min(SAMPLES, len(values)))
        ],
    }


def _ranked(names: tuple[str, ...], values: Matrix) -> list[dict[str, Any]]:
    found = [{"feature": name, "value": float(value)} for name, value in zip(names, values, strict=True)]
    return sorted(found, key=lambda one: (-abs(one["value"]), one["feature"]))


def _spread(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """So many rows at most, at even distances, so that they are the same each time."""
    places = np.unique(np.linspace(0, len(table) - 1, min(rows, len(table))).astype(int))
    return table.iloc[places]


class _Coded:
    """Rows as the library takes them, a matrix of numbers: a category is the place of its text."""

    def __init__(self, model: Model, background: pd.DataFrame, rows: pd.DataFrame) -> None:
        self.model = model
        self.names = model.schema.names
        both = tables.features(pd.concat([background, rows], ignore_index=True), model.schema)
        self.texts = {name: np.unique(both[name]) for name in model.schema.of_kind("category")}
        matrix = np.column_stack([self._codes(name, both[name]) for name in self.names])
        self.background, self.rows = matrix[: len(background)], matrix[len(background) :]

    def _codes(self, name: str, cells: pd.Series) -> Matrix:
        codes = np.searchsorted(self.texts[name], cells) if name in self.texts else cells
        return np.asarray(codes, dtype=np.float64)

    def answer(self, matrix: Matrix) -> Matrix:
        columns = {
            name: self.texts[name][matrix[:, place].astype(int)] if name in self.texts else matrix[:, place]
            for place, name in enumerate(self.names)
        }
        return np.asarray(self.model.predict(columns))

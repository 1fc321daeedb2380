"""Three models of the same thirty numbers, each as the image keeps it and as scikit-learn does; and what is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROWS, FEATURES = 10_000, 30
GRADIENT_BOOSTING = "gradient boosting"
ASKED_ROWS = (1, 100)


def make(directory: Path) -> list[str]:
    """Write each model into a directory of its name, as for SM_BASE_DIR; their names."""
    import joblib
    import numpy as np
    import pandas as pd
    from sklearn.datasets import make_classification

    from training.artefact import GRAPH, SCHEMA
    from training.schema import Schema
    from training.train import to_onnx

    values, target = make_classification(ROWS, FEATURES, n_informative=15, random_state=0)
    names = [f"f{i}" for i in range(FEATURES)]
    table = pd.DataFrame(values.round(5).astype(np.float32), columns=names)
    schema = Schema.of("binary", "target", "time", dict.fromkeys(names, "number"))
    for name, estimator in _estimators(names).items():
        model = place(directory, name) / "model"
        model.mkdir(parents=True, exist_ok=True)
        fitted = estimator.fit(table, target)
        (model / GRAPH).write_bytes(to_onnx(schema, fitted))
        (model / SCHEMA).write_text(schema.to_json())
        joblib.dump(fitted.steps[-1][1], place(directory, name) / "model.joblib")
    for count in ASKED_ROWS:
        body = table.head(count).to_csv(index=False, header=False, lineterminator="\n")
        (directory / f"{count}.csv").write_text(body)
    return list(_estimators(names))


def place(directory: Path, name: str) -> Path:
    """Where a model lies; nginx takes no path with a space."""
    return directory / name.replace(" ", "-")


def _estimators(names: list[str]) -> dict[str, Any]:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    last = {
        "logistic regression": LogisticRegression(max_iter=500),
        GRADIENT_BOOSTING: HistGradientBoostingClassifier(random_state=0),
        "random forest": RandomForestClassifier(100, max_depth=12, random_state=0),
    }
    return {
        name: make_pipeline(ColumnTransformer([("all", "passthrough", names)]), model)
        for name, model in last.items()
    }

"""A model for any table: boosted trees that stop when they no longer learn; gaps and categories as they come."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

SETTINGS = {
    "learning_rate": 0.05,
    "max_iter": 300,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
    "early_stopping": True,
    "random_state": 0,
}


def pipeline(task: str, features: Mapping[str, str]) -> Pipeline:
    """An unfitted pipeline for TASK and FEATURES as model.py states them."""
    categories = [name for name, kind in features.items() if kind == "category"]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    trees = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    return make_pipeline(
        ColumnTransformer([("codes", codes, categories)], remainder="passthrough"), trees(**SETTINGS)
    )

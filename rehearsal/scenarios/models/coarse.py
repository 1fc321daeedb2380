"""A push that must be refused at the gate: an owner's idea that looks harmless and predicts worse."""

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

TASK = "binary"
TIME = "event_time"
TARGET = "late"

FEATURES = {"carrier": "category", "origin": "category", "hour": "number", "distance": "number"}
"""No weather any more: "it is the airline that is late, after all"."""


def estimator() -> Pipeline:
    """Few and coarse trees."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    trees = HistGradientBoostingClassifier(
        max_iter=10, max_leaf_nodes=3, early_stopping=False, random_state=0
    )
    columns = ColumnTransformer([("codes", codes, ["carrier", "origin"])], remainder="passthrough")
    return make_pipeline(columns, trees)

"""Yours: what is predicted, from what, and by which model. The rest of this package is Tideline's."""

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

TASK = "binary"  # or "regression"; or "multiclass", with CLASSES = [...], 3 to 50 of them
TIME = "event_time"  # ISO 8601, UTC; decides what is held out
TARGET = "late"  # 1 or 0; a number for a regression; one of CLASSES

# The columns the model sees, in the order of a CSV request. All are known before departure.
FEATURES = {
    "carrier": "category",
    "origin": "category",
    "dest": "category",
    "weekday": "category",
    "hour": "number",
    "minute": "number",
    "distance": "number",
    "temp": "number",
    "dewp": "number",
    "humid": "number",
    "wind_dir": "number",
    "wind_speed": "number",
    "precip": "number",
    "pressure": "number",
    "visib": "number",
}

# What a number can be, lowest and highest; a table with more than 1% outside is refused. Name what you know.
RANGES = {
    "hour": (0, 23),
    "minute": (0, 59),
    "temp": (-60, 140),
    "dewp": (-60, 140),
    "humid": (0, 100),
    "wind_dir": (0, 360),
    "visib": (0, 10),
}


def estimator() -> Pipeline:
    """An unfitted pipeline for a DataFrame of FEATURES: float32 and str, missing is NaN and ""."""
    categories = [name for name, kind in FEATURES.items() if kind == "category"]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    trees = HistGradientBoostingClassifier(
        learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=200, early_stopping=False, random_state=0
    )
    return make_pipeline(ColumnTransformer([("codes", codes, categories)], remainder="passthrough"), trees)

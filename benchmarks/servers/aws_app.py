"""AWS's scikit-learn container without its image: what gunicorn runs there, from the same package.

`sagemaker_containers` is the container's own framework: worker, transformer, decoders and encoders. The four
functions are what a user writes: the defaults squeeze a single row into a vector, which scikit-learn refuses.
"""

import collections
import collections.abc
import os
from typing import Any

collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined] # as the container's image patches it

import joblib  # noqa: E402
import numpy as np  # noqa: E402
from sagemaker_containers.beta.framework import encoders, transformer, worker  # noqa: E402


def model_fn(_: str) -> Any:
    return joblib.load(os.environ["MODEL_FILE"])


def input_fn(body: Any, content_type: str) -> Any:
    rows = np.atleast_2d(encoders.decode(body, content_type))
    return rows.astype(np.float32)


def predict_fn(rows: Any, model: Any) -> Any:
    return model.predict_proba(rows)[:, 1]


def output_fn(prediction: Any, accept: str) -> Any:
    return worker.Response(encoders.encode(prediction, accept), accept, mimetype=accept)


made = transformer.Transformer(
    model_fn=model_fn, input_fn=input_fn, predict_fn=predict_fn, output_fn=output_fn
)
made.initialize()
app = worker.Worker(transform_fn=made.transform, module_name="model")

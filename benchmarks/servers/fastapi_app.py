"""A model behind FastAPI, as it is usually written; `ENGINE` says who predicts: scikit-learn or ONNX Runtime."""

import os
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response

app = FastAPI()


def _predictor() -> Callable[[Any], Any]:
    if os.environ["ENGINE"] == "onnx":
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(os.environ["MODEL_FILE"], options)
        given, answered = session.get_inputs()[0].name, session.get_outputs()[-1].name
        return lambda rows: session.run([answered], {given: rows})[0][:, 1]
    import joblib

    model = joblib.load(os.environ["MODEL_FILE"])
    return lambda rows: model.predict_proba(rows)[:, 1]


predict = _predictor()


@app.get("/ping")
async def ping() -> Response:
    return Response()


@app.post("/invocations")
async def invocations(request: Request) -> Response:
    rows = np.loadtxt(BytesIO(await request.body()), delimiter=",", dtype=np.float32, ndmin=2)
    return Response("".join(f"{one}\n" for one in predict(rows)), media_type="text/csv")

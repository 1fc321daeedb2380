"""Changed copies of a model: each answers as its name says, and loads as any trained one."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from rehearsal.scenarios import brought
from training.artefact import GRAPH, NUMBERS, SCHEMA, Model

SCHEMA_JSON = b'{"task": "binary", "time": "t", "target": "y", "features": [{"name": "x", "kind": "number"}]}'


def archive() -> bytes:
    """A model that answers with the number it is asked about."""
    shape = [None, 1]
    graph = helper.make_graph(
        [helper.make_node("Identity", [NUMBERS], ["probabilities"])],
        "small",
        [helper.make_tensor_value_info(NUMBERS, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in ((GRAPH, model.SerializeToString()), (SCHEMA, SCHEMA_JSON)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("change", "answers"),
    [
        (brought.as_it_is, [0.25, 0.64]),
        (brought.shifted, [0.5, 0.8]),
        (brought.squared, [0.0625, 0.4096]),
        (brought.slow, [0.25, 0.64]),
        (brought.failing, [np.nan, np.nan]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_changed_copy_answers_as_its_name_says(
    change: brought.Change, answers: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brought, "SIZE", 4)
    path = tmp_path / "model.tar.gz"
    path.write_bytes(brought.changed(archive(), change))
    given = Model.from_archive(path).predict({"x": [0.25, 0.64]})
    assert given == pytest.approx(answers, nan_ok=True)


def test_the_same_change_gives_the_same_bytes() -> None:
    one, two = (brought.changed(archive(), brought.slow) for _ in range(2))
    assert one == two

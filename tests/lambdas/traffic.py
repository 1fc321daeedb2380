"""What an endpoint captures and what people deliver, in the formats of SageMaker."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from domain.releases import Champion
from tests.lambdas.local import DEPLOYMENT, IMAGE, Local

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/1"
RUN = "s3://artefacts/runs/run-1"
SCHEMA = {
    "task": "binary",
    "target": "late",
    "time": "event_time",
    "features": [{"name": "hour", "kind": "number"}, {"name": "origin", "kind": "category"}],
}


def crown(
    local: Local,
    *,
    heldout_loss: float = 0.125,
    reference: Sequence[Sequence[Any]] = (),
    since: str = "2013-04-01T00:00:00Z",
) -> Champion:
    """A live model, with the report, the reference days and the profile of its training."""
    report = {"schema": SCHEMA, "reference": {"days": reference, "without": ""}}
    features = [
        {"name": "hour", "kind": "number", "edges": [11.0], "counts": [50, 50, 0]},
        {"name": "origin", "kind": "category", "values": ["JFK"], "rare": [], "counts": [100, 0, 0, 0]},
    ]
    champion = Champion(
        release_id="000001",
        package_arn=PACKAGE,
        model_data=f"{RUN}/model/model.tar.gz",
        image=IMAGE,
        report_uri=local.put_json(f"{RUN}/report/report.json", report),
        profile_uri=local.put_json(
            f"{RUN}/report/profile.json", {"format": 1, "rows": 100, "features": features}
        ),
        heldout_loss=heldout_loss,
        since=since,
    )
    local.ledger.crown(champion)
    return champion


def exchange(name: str, rows: list[list[Any]], predictions: list[float], *, model: str = PACKAGE) -> str:
    def side(body: object) -> dict[str, str]:
        return {"data": json.dumps(body), "encoding": "JSON", "observedContentType": "application/json"}

    data = {
        "endpointInput": side({"instances": rows}),
        "endpointOutput": side({"model": model, "predictions": predictions}),
    }
    meta = {"eventId": f"event-{name}", "inferenceId": name, "inferenceTime": "2013-04-18T10:00:00Z"}
    return json.dumps({"captureData": data, "eventMetadata": meta, "eventVersion": "0"})


def captured(local: Local, day: str, lines: Iterable[str], *, file: str = "10/a.jsonl") -> str:
    return local.put(f"s3://capture/capture/{DEPLOYMENT}/live/{day}/{file}", "\n".join(lines) + "\n")


def labelled(local: Local, day: str, labels: dict[str, str], *, file: str = "a.jsonl") -> str:
    lines = [
        json.dumps({"groundTruthData": {"data": data, "encoding": "CSV"}, "eventMetadata": {"eventId": name}})
        for name, data in labels.items()
    ]
    return local.put(f"s3://data/labels/{day}/{file}", "\n".join(lines) + "\n")

"""Show runs in MLflow: parameters, metrics and artefacts of each, from what its evaluation wrote.

python -m scripts.mlflow_runs DIRECTORY                     # into DIRECTORY/mlflow/mlflow.db, for `mlflow ui`
python -m scripts.mlflow_runs DIRECTORY --tracking-uri URI  # into a server

DIRECTORY holds what the artefacts bucket has under runs/: a folder a run, with report/report.json in it.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RUN_TAG = "tideline.run_id"
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_\-. /]")
PLAN = (
    *("cause", "incident", "snapshot_id", "snapshot_rows", "content_id", "image_digest"),
    *("training_instance_type", "processing_instance_type", "champion_package"),
)


def parameters(report: Mapping[str, Any]) -> dict[str, str]:
    """What the run was made of."""
    schema, plan, gate = report["schema"], report["plan"], report["gate"]
    asked = {
        "task": schema["task"],
        "target": schema["target"],
        "features": ",".join(feature["name"] for feature in schema["features"]),
        "classes": ",".join(schema.get("classes", ())),
        "gate.margin": gate["margin"],
        "gate.rule": gate["rule"],
        **{name: plan.get(name) for name in PLAN},
    }
    return {name: str(value) for name, value in asked.items() if value not in (None, "")}


def metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Every number that was measured on the held-out days, with the ends of its interval."""
    found: dict[str, Any] = {f"loss.{name}": value for name, value in report["loss"].items()}
    found |= {
        "gate.passed": float(report["gate"]["passed"]),
        "gate.upper_bound": report["gate"]["upper_bound"],
    }
    kind = next(name for name in report if name.endswith("_metrics"))
    for name, interval in report["intervals"].items():
        found[name] = report[kind][name]["value"]
        found |= dict(zip((f"{name}.low", f"{name}.high"), interval or (), strict=False))
    found |= {f"importance.{one['feature']}": one["loss_increase"] for one in report["importance"]}
    return {
        NOT_IN_A_NAME.sub("_", name): float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def day_losses(report: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Milliseconds since 1970 and the mean loss of each held-out day."""
    return [(_milliseconds(day["day"]), day["challenger"] / day["rows"]) for day in report["day_losses"]]


def _milliseconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def reports(directory: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each run's folder and what its evaluation says, by the last day that it was held against."""
    found = [
        (path.parents[1], json.loads(path.read_text())) for path in directory.glob("*/report/report.json")
    ]
    if not found:
        raise SystemExit(
            f"{directory} holds no */report/report.json; name a folder of runs, as a rehearsal's evaluations/"
        )
    yield from sorted(found, key=lambda one: (one[1]["day_losses"][-1]["day"], one[0].name))


def write(directory: Path, tracking_uri: str, artefacts: str | None, experiment: str | None) -> list[str]:
    """Write the runs that are not there yet; returns their ids. MLflow is imported here, for it takes its time."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client, written = MlflowClient(tracking_uri), []
    for folder, report in reports(directory):
        name = experiment or report["plan"].get("pipeline_name") or report["schema"]["target"]
        known = client.get_experiment_by_name(name)
        number = known.experiment_id if known else client.create_experiment(name, artifact_location=artefacts)
        if client.search_runs([number], f"tags.`{RUN_TAG}` = '{folder.name}'"):
            continue
        days = day_losses(report)
        began = days[-1][0]
        run = client.create_run(number, start_time=began, run_name=folder.name).info.run_id
        client.log_batch(
            run,
            metrics=[Metric(name, value, began, 0) for name, value in metrics(report).items()]
            + [Metric("loss.by_day", loss, at, step) for step, (at, loss) in enumerate(days)],
            params=[Param(name, value) for name, value in parameters(report).items()],
            tags=[RunTag(RUN_TAG, folder.name)],
        )
        client.log_artifacts(run, str(folder))
        client.set_terminated(run, end_time=began)
        written.append(folder.name)
    return written


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("directory", type=Path)
    asked.add_argument("--tracking-uri", help="of a server (default: a file beside the runs)")
    asked.add_argument("--experiment", help="(default: the pipeline's name)")
    args = asked.parse_args()
    store = (args.directory / "mlflow").resolve()
    uri, artefacts = args.tracking_uri, None
    if uri is None:
        store.mkdir(parents=True, exist_ok=True)
        uri, artefacts = f"sqlite:///{store / 'mlflow.db'}", (store / "artefacts").as_uri()
    written = write(args.directory, uri, artefacts, args.experiment)
    print(f"{len(written)} new runs; see them: mlflow ui --backend-store-uri {uri}")


if __name__ == "__main__":
    main()

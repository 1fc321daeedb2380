"""The pages that the evaluation of each run left for whoever approves."""

from __future__ import annotations

from domain.names import Prefix
from rehearsal.scenarios.deployment import Deployment

EVALUATIONS = "evaluations"
"""The folder in which they lie beside the rehearsal's own page."""


def evaluations(deployment: Deployment) -> dict[str, bytes]:
    """Run id -> HTML, of the runs that came so far, in the order in which they began."""
    s3, found = deployment.account.client("s3"), {}
    for run in sorted(deployment.ledger_bodies("RUN"), key=lambda run: run.get("started_at") or ""):
        run_id, bucket = run["plan"]["run_id"], deployment.bucket("Artefacts")
        key = f"{Prefix.RUNS}{run_id}/report/report.html"
        if s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents"):
            found[run_id] = deployment.read(f"s3://{bucket}/{key}")
    return found


FILES = ("report/", "checks/", "plan/plan.json", "model/")
"""Of a run, what is no row of the table."""


def artefacts(deployment: Deployment, run_id: str) -> dict[str, bytes]:
    """Path within the run -> content: what was measured, checked and planned, and the model."""
    s3, bucket, base = (
        deployment.account.client("s3"),
        deployment.bucket("Artefacts"),
        f"{Prefix.RUNS}{run_id}/",
    )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=base)
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    return {
        path: deployment.read(f"s3://{bucket}/{base}{path}")
        for path in (key.removeprefix(base) for key in keys)
        if path.startswith(FILES)
    }

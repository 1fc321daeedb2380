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

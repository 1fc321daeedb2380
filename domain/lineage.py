"""Where a model comes from, out of the ledger: its run, snapshot, commit, image, jobs and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.history import run_of
from domain.releases import model_stamp

Body = Mapping[str, Any]
OF_PLAN = ("snapshot_id", "snapshot_rows", "content_id", "commit", "image_digest", "champion_package")


def lineage(
    version: str, releases: Sequence[Body], decisions: Sequence[Body], runs: Sequence[Body]
) -> dict[str, Any] | None:
    """Of the model package with this version number; None if the ledger has not heard of it.

    A package is known to the ledger once a release of it was decided; before that the registry alone has it.
    """
    known = [
        *((one["package_arn"], one.get("report_uri", "")) for one in releases),
        *(
            (d["inputs"].get("package", ""), d["inputs"].get("report", ""))
            for d in decisions
            if d["kind"] == "release"
        ),
    ]
    found = next(((arn, uri) for arn, uri in known if str(arn).endswith(f"/{version}") and uri), None)
    if found is None:
        return None
    package_arn, report_uri = found
    run_id = run_of(report_uri)
    run = next((one for one in runs if one["plan"]["run_id"] == run_id), None)
    proof = next(
        (r["proof"]["manifest"] for r in releases if r["package_arn"] == package_arn and "proof" in r), None
    )
    facts: dict[str, Any] = {"model": model_stamp(package_arn), "run": run_id}
    if run:
        plan = run["plan"]
        facts["asked by"] = f"{plan['cause']}: {plan['incident']}"
        facts |= {name.replace("_", " "): plan[name] for name in OF_PLAN if plan.get(name)}
        facts["jobs"] = [
            f"{job['component']} on {job['instance_type']}, {job['billed_seconds']:.0f} s, {job['outcome']}"
            for job in run.get("jobs", [])
        ]
        if "spent_micro_usd" in run:
            facts["cost"] = f"{run['spent_micro_usd'] / 1e6:.4f} USD"
    return {**facts, "signed": proof or "no"}

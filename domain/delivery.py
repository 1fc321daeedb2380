"""A push waits for the release of the model that it had trained: what came of it, and what the pipeline is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from domain.decision import Decision
from domain.names import Prefix
from domain.releases import ENDS_A_WAIT, held_release

Body = Mapping[str, Any]


def judge_wait(
    run: Body | None, decisions: Sequence[Body], releases: Sequence[Body], under_way: Collection[str] = ()
) -> Decision:
    """Approved, rejected or wait. The release's own outcome decides; before it, the run's and its gate's.

    `under_way`: the packages that wait for their release or are in it, whatever was decided of them before.
    """
    run_id = run["plan"]["run_id"] if run else "none"
    inputs = {"run": run_id}

    def decided(verdict: str, rule: str, *reasons: str) -> Decision:
        return Decision("delivery", verdict, rule, reasons, inputs)

    if run is None:
        return decided("rejected", "no-run", "the ledger holds no such training run")
    release = _release_of(run_id, releases)
    if release and release["outcome"] == "live":
        return decided("approved", "live", f"release {release['release_id']} is live")
    if release and release["outcome"] == "held":
        if held_release(releases) != release:
            reason = f"release {release['release_id']} was replaced before it had proved itself"
            return decided("rejected", "replaced", reason)
        return decided(
            "wait", "held", f"release {release['release_id']} serves and has not proved itself yet"
        )
    if release and release["package_arn"] not in under_way:
        reasons = _reasons(decisions, "release", f"{release['release_id']}/{release['package_arn']}")
        return decided("rejected", "not-live", f"release {release['release_id']} is not live", *reasons)
    if run["status"] != "SETTLED":
        return decided("wait", "training", f"{run_id} is {run['status']}")
    skipped = _skipped(run_id, decisions)
    if skipped and skipped["inputs"]["package"] not in under_way:
        return decided("rejected", skipped["rule"], f"{run_id} is not released", *skipped["reasons"])
    gate = next((d for d in decisions if (d["kind"], d["subject"]) == ("gate", run_id)), None)
    if gate and gate["verdict"] == "passed":
        return decided("wait", "releasing", f"{run_id} passed its gate and is not released yet")
    why = _reasons(decisions, "gate", run_id) or (f"{run_id} ended {run.get('outcome')}",)
    return decided("rejected", "no-model", f"{run_id} ended without a new model", *why)


def _skipped(run_id: str, decisions: Sequence[Body]) -> Body | None:
    """The decision that ended the wait of this run's package without a release."""
    ended = (d for d in decisions if d["kind"] == "release" and d["rule"] in ENDS_A_WAIT)
    return next((d for d in ended if f"/{Prefix.RUNS}{run_id}/" in d["inputs"].get("report", "")), None)


def _release_of(run_id: str, releases: Sequence[Body]) -> Body | None:
    """The last release whose report is this run's; one that met a busy stack was not started, and comes again."""
    begun = (one for one in releases if one["outcome"] != "not-started")
    found = [one for one in begun if f"/{Prefix.RUNS}{run_id}/" in one["report_uri"]]
    return found[-1] if found else None


def _reasons(decisions: Sequence[Body], kind: str, subject: str) -> tuple[str, ...]:
    """Why it was decided so, the last time."""
    found = [tuple(d["reasons"]) for d in decisions if (d["kind"], d["subject"]) == (kind, subject)]
    return found[-1] if found else ()

"""How a release ended: judged by what the endpoint runs, never by a stack's status alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.counted import counted
from domain.decision import Decision
from domain.history import run_of
from domain.names import NO_RELEASE
from domain.releases import NOT_APPROVED, REFUSALS, ReleaseRecord, model_stamp

BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack")
STUCK = "UPDATE_ROLLBACK_FAILED"
NO_ROOM = "no-room"
"""The rule of a release that AWS had no instance for, or no quota: it says nothing of the model."""
LACKS_ROOM = re.compile(
    r"insufficient.{0,20}capacity|unable to provision requested|resource ?limit ?exceeded|service limit|quota",
    re.I,
)


NOT_SCALED, SCALING = "not-scaled", "endpoint-was-scaling"
"""The rules of a release that auto-scaling stood in the way of, which says nothing of the model either."""
WITHOUT_FAULT = (
    (
        NO_ROOM,
        LACKS_ROOM,
        "AWS had no room for {model}, which says nothing of the model: it may be approved again",
    ),
    (
        NOT_SCALED,
        re.compile(r"scalable target|application-autoscaling|ScalableTarget|ScalingPolicy", re.I),
        "auto-scaling refused the release of {model}, which says nothing of the model: it may be approved again",
    ),
    (
        SCALING,
        re.compile(r"in-progress endpoint", re.I),
        "the number of instances was just changing, which says nothing of {model}: it is released again by itself",
    ),
)
"""Rule, what AWS says then, and what people are told: looked at in this order, where no alarm fired."""


@dataclass(frozen=True)
class Observed:
    """What DescribeEndpoint and the configuration behind it say right now."""

    endpoint_status: str
    config_name: str | None = None
    model_name: str | None = None
    model_data: str | None = None
    image: str | None = None
    failure_reason: str = ""
    what: str = "the endpoint"
    """In words; a batch has no endpoint, and runs its model when it transforms."""

    def runs_release(self, deployment: str, release_id: str) -> bool:
        """Is the configuration one of this release? Its name carries the release's id."""
        name = self.config_name or ""
        return self.endpoint_status == "InService" and name.startswith(f"{deployment}-{release_id}-")

    def runs(self, deployment: str, record: ReleaseRecord) -> bool:
        same = (self.model_data, self.image) == (record.model_data, record.image)
        return same and self.runs_release(deployment, record.release_id)


@dataclass(frozen=True)
class Evidence:
    """What happened while the release was watched."""

    requests: int
    """Answered by the new configuration."""
    min_requests: int
    is_first: bool
    """Nothing served before it, so there is nothing better to stay with."""
    alarms: Sequence[str] = field(default=())
    """What its rollback alarms said."""
    stack_said: Sequence[str] = field(default=())
    """Why resources of Serving failed while it was deployed."""


def judge_release(
    record: ReleaseRecord, observed: Observed, evidence: Evidence, *, deployment: str, stack_status: str
) -> Decision:
    """live, hold (it serves, but on too little traffic to prove anything), wait, rolled-back or failed."""
    inputs: Mapping[str, Any] = {
        "package": record.package_arn,
        "stack_status": stack_status,
        "endpoint_status": observed.endpoint_status,
        "runs_config": observed.config_name,
        "runs_model_data": observed.model_data,
        "runs_image": observed.image,
        "requests": evidence.requests,
        "min_requests": evidence.min_requests,
    }

    def decided(verdict: str, rule: str, *reasons: str) -> Decision:
        return Decision("release", verdict, rule, tuple(reason for reason in reasons if reason), inputs)

    model = model_stamp(record.package_arn)
    if observed.endpoint_status in BUSY:
        return decided("wait", "endpoint-busy", f"the endpoint is {observed.endpoint_status}")
    if observed.runs(deployment, record):
        runs = f"{observed.what} is InService and runs {model}"
        if evidence.is_first or evidence.requests >= evidence.min_requests:
            return decided("live", "endpoint-runs-it", runs)
        answered = f"it answered {counted(evidence.requests, 'request')} while it was watched"
        return decided(
            "hold", "too-few-requests", runs, f"{answered}; {evidence.min_requests} are needed to prove it"
        )
    seen = f"{observed.what} is {observed.endpoint_status} and runs {observed.config_name}, not {record.release_id}"
    own = observed.failure_reason
    why = [*evidence.alarms, own, *(one for one in evidence.stack_said if not (own and own in one))]
    is_back = observed.endpoint_status == "InService"
    for rule, says_so, told in () if evidence.alarms else WITHOUT_FAULT:
        if any(says_so.search(one) for one in why):
            verdict = "rolled-back" if is_back else "failed"
            return decided(verdict, rule, told.format(model=model), seen, *why)
    if is_back:
        return decided("rolled-back", "endpoint-runs-another", seen, *why)
    return decided("failed", "endpoint-not-in-service", seen, *why)


def is_to_be_rejected(decision: Decision, *, serving: str | None) -> bool:
    """Did the release end badly for a reason that is the model's? Then its package is Rejected.

    `serving` is the package that serves: released anew and gone back, it has proved itself before.
    """
    return is_fault_of_the_model(decision.verdict, decision.rule) and decision.inputs["package"] != serving


def is_fault_of_the_model(verdict: str, rule: str) -> bool:
    """Did a release end badly, and not because AWS had no room or auto-scaling stood in its way?"""
    return verdict in ("rolled-back", "failed") and rule not in [one for one, *_ in WITHOUT_FAULT]


def runs_in_vain(decisions: Sequence[Mapping[str, Any]], releases: Sequence[Mapping[str, Any]]) -> set[str]:
    """The training runs whose model passed the gate and cannot serve: it went back, was refused or was rejected.

    `releases` are in order; what happened to a model before it was live, or is on hold, does not count.
    """
    ended = {one["package_arn"]: one for one in releases if one["outcome"] != "not-started"}
    stayed = {arn for arn, one in ended.items() if one["outcome"] in ("live", "held")}
    vain = set()
    for one in decisions:
        package = one["inputs"].get("package") if one["kind"] == "release" else None
        if package is None or package in stayed:
            continue
        report = one["inputs"].get("report") or ended.get(package, {}).get("report_uri", "")
        if is_fault_of_the_model(one["verdict"], one["rule"]) or one["rule"] in (NOT_APPROVED, *REFUSALS):
            vain.add(run_of(report) or "")
    return vain - {""}


def decide_restoring(
    observed: Observed, *, deployment: str, named: str, serving: str | None, went_back: bool
) -> Decision:
    """Serving at rest may name a release that does not serve: its next update would deploy that one.

    `named` is the id of the release that Serving names, `serving` the one that should serve. `went_back`: what serves
    was released anew already, and went back too.
    """
    inputs = {"named": named, "serving": serving, "runs_config": observed.config_name}

    def decided(verdict: str, rule: str, *reasons: str) -> Decision:
        return Decision("release", verdict, rule, reasons, inputs)

    is_served = observed.endpoint_status != "InService" or observed.runs_release(deployment, named)
    if serving is None or named in (serving, NO_RELEASE) or is_served:
        return decided("none", "nothing-in-flight")
    seen = f"Serving names release {named}, but the endpoint runs {observed.config_name}"
    if went_back:
        why = f"{seen}; {serving} was released anew and went back: see docs/runbooks/rollback.md"
        return decided("page", "names-what-does-not-serve", why)
    return decided("restore", "names-what-does-not-serve", f"{seen}; {serving} is released anew")


def decide_stuck_rollback(
    observed: Observed, *, deployment: str, live_release: str | None, tried: bool
) -> Decision:
    """A stack whose rollback failed takes no update; it may go on without the endpoint if that is right already."""
    inputs = {
        "endpoint_status": observed.endpoint_status,
        "runs_config": observed.config_name,
        "live_release": live_release,
    }

    def decided(verdict: str, rule: str, reason: str) -> Decision:
        return Decision("release", verdict, rule, (reason,), inputs)

    if observed.endpoint_status in BUSY:
        return decided("wait", "endpoint-busy", f"the endpoint is {observed.endpoint_status}")
    if live_release is None or not observed.runs_release(deployment, live_release):
        return decided(
            "page",
            "old-release-does-not-serve",
            f"the rollback of Serving failed, and the endpoint is {observed.endpoint_status} with "
            f"{observed.config_name}, not with release {live_release}: see docs/runbooks/rollback.md",
        )
    if tried:
        return decided(
            "page",
            "rollback-failed-again",
            "the rollback of Serving failed again without the endpoint: see docs/runbooks/rollback.md",
        )
    return decided(
        "continue-rollback",
        "old-release-serves",
        f"the endpoint runs release {live_release} as it should; the rollback goes on without it",
    )


def leftovers(deployment: str, names: Sequence[str], observed: Observed) -> list[str]:
    """Of these models or configurations, ours that nothing runs. None while the endpoint is changing.

    >>> runs = Observed("InService", "d-000002-0123abcd", "d-000002-0123abcd")
    >>> leftovers("d", ["d-000001-0123abcd", "d-000002-0123abcd", "a-d-000001-0123abcd"], runs)
    ['d-000001-0123abcd']
    >>> leftovers("d", ["d-000001-0123abcd"], Observed("Updating", "d-000002-0123abcd"))
    []
    """
    if observed.endpoint_status != "InService":
        return []
    own = {name for name in names if re.fullmatch(rf"{re.escape(deployment)}-\d{{6}}-[0-9a-f]{{8}}", name)}
    return sorted(own - {observed.config_name, observed.model_name})

"""An approved package goes to production: write the immutable release record, point Serving at it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from domain.decision import Decision
from domain.events import iso, parse_approval
from domain.instances import Workload
from domain.manifest import NO_PROOF, Proof
from domain.names import (
    BEFORE_PARAMETER,
    FEWEST_PARAMETER,
    PROOF_PARAMETER,
    RELEASE_PARAMETER,
    RELEASE_SLOTS,
    SCALING_ON,
    SCALING_PARAMETER,
)
from domain.releases import (
    LETS_WAIT,
    Champion,
    ReleaseRecord,
    approved_later,
    decide_release,
    due,
    is_handled,
    newest_waiting,
    next_release_id,
    overtaken,
)
from domain.returning import Rejected, decide_return, good_before, needless, never_released
from domain.scaling import replaced_release
from domain.settings import ReleaseModelSettings
from lambdas import aws, packages, people, scaling, serving
from lambdas.ledger import Ledger, utc_now


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A package's approval or rejection, or `{"cause": "waiting"}` -> the decision. An approval twice is one release.

    What waits is first of all an open release for which Serving was never asked.
    """
    settings = ReleaseModelSettings.from_env(os.environ)
    ledger = Ledger(settings.ledger_table)
    if event.get("cause") == "waiting":
        package_arn, in_place_of = _next_waiting(ledger)
        if package_arn is None:
            return scaling.come_back(settings, ledger, now=utc_now()) or {"verdict": "nothing-waits"}
        back = in_place_of
        answer = _go_back(settings, ledger, back) if back else _release(settings, ledger, package_arn)
        if answer.get("verdict") in ("skip", "refuse"):
            scaling.come_back(settings, ledger, now=utc_now())
        return answer
    judged = parse_approval(event, group=settings.model_package_group)
    if not judged.is_judged:
        aws.log("no approval", package=judged.arn, changed=judged.changed)
        return {"verdict": "skip", "rule": "another-field-changed"}
    if not judged.is_approved:
        return _go_back(settings, ledger, Rejected(judged.arn, iso(judged.at)))
    return _release(settings, ledger, judged.arn, approved_at=judged.at)


def _go_back(settings: ReleaseModelSettings, ledger: Ledger, case: Rejected) -> dict[str, Any]:
    """What serves, or will, was rejected: the release that was live before it comes again, like any other.

    Where that must wait, it is decided anew then: another release may have taken the rejected one's place.
    """
    rejected, known, opened = case.package_arn, ledger.serving(), ledger.open_release_body()
    releases, package = ledger.releases(), packages.describe(rejected)
    serves, in_flight = known[1] if known else None, opened["package_arn"] if opened else None
    earlier = good_before(rejected, releases) if rejected in (serves, in_flight) else ()
    decision = decide_return(
        rejected,
        approval=package["ModelApprovalStatus"],
        serving=serves,
        in_flight=in_flight,
        good=next((arn for arn in earlier if packages.may_come_again(settings, ledger, arn)), None),
    )
    for one in needless(ledger.waiting(), rejected, decision):
        ledger.stop_waiting(one)
    if decision.verdict == "none":
        begun = [*releases, *([opened] if opened else []), *ledger.waiting()]
        if ended := never_released(rejected, decision, begun, report_uri=packages.report_uri(package)):
            ledger.record(ended, subject=rejected, now=utc_now())
        return decision.to_json()
    ledger.record(decision, subject=case.case, now=utc_now())
    if decision.verdict == "return":
        return _release(settings, ledger, decision.inputs["good"], in_place_of=case)
    people.tell(
        ledger,
        settings.topic_arn,
        about=f"{case.case} {decision.rule}",
        subject=f"{settings.model_package_group}: rejected and serving",
        message=f"{settings.model_package_group}: {'; '.join(decision.reasons)}",
    )
    return decision.to_json()


def _next_waiting(ledger: Ledger) -> tuple[str | None, Rejected | None]:
    """The package of a release that was opened and not started, else the one that was approved last, else a way back.

    The second is the rejected package in whose place a way back comes. The last approved one overtakes the others.
    """
    opened = ledger.open_release_body()
    if opened and not opened.get("is_started"):
        return str(opened["package_arn"]), None
    waiting = due(ledger.waiting(), utc_now())
    found = newest_waiting([one for one in waiting if not one.get("in_place_of")])
    if found is None:
        return next(((one["package_arn"], Rejected.of(one)) for one in waiting), (None, None))
    newest, others = found
    for package_arn in others:
        decision = overtaken(
            package_arn, by=newest, report_uri=packages.report_uri(packages.describe(package_arn))
        )
        ledger.record(decision, subject=package_arn, now=utc_now())
        ledger.stop_waiting(package_arn)
    return newest, None


def _release(
    settings: ReleaseModelSettings,
    ledger: Ledger,
    package_arn: str,
    *,
    approved_at: datetime | None = None,
    in_place_of: Rejected | None = None,
) -> dict[str, Any]:
    """A way back, in place of a rejected package, is a person's act; a pause stops what acts by itself."""
    now, opened = utc_now(), ledger.open_release_body()
    if opened and opened["package_arn"] == package_arn:
        return _started(opened) if opened.get("is_started") else _update_serving(settings, ledger, opened)
    package, known = packages.describe(package_arn), ledger.serving()
    since = iso(approved_at) if approved_at else ledger.waits_since(package_arn)
    is_serving = known is not None and known[1] == package_arn
    decision = decide_release(
        package_arn=package_arn,
        champion=_live(settings, ledger.champion()),
        in_flight=opened["release_id"] if opened else None,
        paused=ledger.paused() and not in_place_of,
        stack_status=aws.stack(settings.serving_stack)["StackStatus"],
        approval="Approved" if is_serving else package["ModelApprovalStatus"],
        report_uri=packages.report_uri(package),
        newer=None if in_place_of else approved_later(package_arn, since, ledger.releases()),
        is_handled=approved_at is not None
        and is_handled(package_arn, approved_at, releases=ledger.releases(), decisions=ledger.decisions()),
    )
    if decision.verdict != "release":
        return _not_now(ledger, package_arn, decision, approved_at=approved_at, in_place_of=in_place_of)
    trust, proof = packages.trust(settings, ledger, package)
    if trust.verdict != "trust":
        packages.tell_of_refusal(settings, ledger, trust)
        return _not_now(ledger, package_arn, trust)
    release_id = next_release_id([release["release_id"] for release in ledger.releases()])
    ledger.record(decision, subject=f"{release_id}/{package_arn}", now=now)
    why = "; ".join(decision.reasons)
    # until Serving is asked for it
    ledger.let_wait(package_arn, because=why, now=now, approved_at=approved_at, in_place_of=in_place_of)
    record, facts = _record(settings, release_id, package)
    facts |= {"approved_at": since or iso(now)} | (in_place_of.to_json() if in_place_of else {})
    if proof != NO_PROOF:
        facts["proof"] = asdict(proof)
    if not ledger.open_release(record, facts, now=now):
        return _lost_the_lease(ledger, package_arn)
    body = ledger.open_release_body()
    assert body is not None
    return _update_serving(settings, ledger, body)


def _lost_the_lease(ledger: Ledger, package_arn: str) -> dict[str, Any]:
    """Another invocation was faster: with this very package, or with one after which this one goes."""
    opened = ledger.open_release_body()
    if opened and opened["package_arn"] == package_arn:
        return _started(opened)
    reason = "another release was opened in between"
    return _not_now(ledger, package_arn, Decision("release", "wait", "lost-the-lease", (reason,)))


def _not_now(
    ledger: Ledger,
    package_arn: str,
    decision: Decision,
    *,
    approved_at: datetime | None = None,
    in_place_of: Rejected | None = None,
) -> dict[str, Any]:
    """Keep a package that must wait until Serving has settled; record_release asks again then, reconcile daily."""
    now = utc_now()
    ledger.record(decision, subject=package_arn, now=now)
    if decision.verdict == "wait":
        why = "; ".join(decision.reasons)
        ledger.let_wait(package_arn, because=why, now=now, approved_at=approved_at, in_place_of=in_place_of)
    elif decision.rule not in LETS_WAIT:
        ledger.stop_waiting(package_arn)
    aws.log("not released", package=package_arn, verdict=decision.verdict, rule=decision.rule)
    return decision.to_json()


def _live(settings: ReleaseModelSettings, champion: Champion | None) -> Champion | None:
    """The champion, unless Serving was destroyed or deployed anew since: then nothing is live."""
    if champion is None:
        return None
    is_live = serving.release_key(settings.serving_stack) == f"{settings.release_prefix}{champion.release_id}"
    return champion if is_live else None


def _record(
    settings: ReleaseModelSettings, release_id: str, package: dict[str, Any]
) -> tuple[ReleaseRecord, dict[str, Any]]:
    package_arn, report_uri = package["ModelPackageArn"], packages.report_uri(package)
    container = package["InferenceSpecification"]["Containers"][0]
    report = json.loads(aws.read_uri(aws.client("s3"), report_uri))
    workload = Workload(component=settings.component, memory_gib=settings.memory_gib, vcpus=settings.vcpus)
    answer = aws.invoke(
        aws.client("lambda"), settings.choose_instance_function, {"workload": asdict(workload)}
    )
    types = tuple(candidate["instance_type"] for candidate in answer["candidates"][:RELEASE_SLOTS])
    facts = {
        "package_arn": package_arn,
        "report_uri": report_uri,
        "profile_uri": f"{report_uri.rsplit('/', 1)[0]}/profile.json",
        "heldout_loss": report["heldout_loss"],
        "values": len(report.get("schema", {}).get("classes", ())) or 1,
    }
    return ReleaseRecord(release_id, container["ModelDataUrl"], container["Image"], package_arn, types), facts


def _update_serving(settings: ReleaseModelSettings, ledger: Ledger, body: dict[str, Any]) -> dict[str, Any]:
    """Every step may be done again: the record never changes, and the same key twice is no update.

    Where the endpoint has to leave auto-scaling first, that is all that is asked for now.
    """
    key, stack = f"{settings.release_prefix}{body['release_id']}", settings.serving_stack
    serving.keep_record(key, body["parameter"])
    try:
        if scaling.leave(stack, ledger, body, now=utc_now()):
            return _started(body)
        known, before = ledger.serving(), serving.release_key(stack)
        proof = Proof(**body["proof"]) if "proof" in body else NO_PROOF
        changes = {
            RELEASE_PARAMETER: key,
            PROOF_PARAMETER: proof.to_parameter(),
            BEFORE_PARAMETER: replaced_release(known[0] if known else None, release_key=before),
            SCALING_PARAMETER: SCALING_ON,
            FEWEST_PARAMETER: str(settings.instance_count),
        }
        serving.update(stack, changes, token=f"release-{body['release_id']}")
    except ClientError as error:
        if "IN_PROGRESS" not in str(error):
            raise
        if body.get("stops_scaling"):
            return _started(body)  # its own first update
        if serving.release_key(stack) != key:
            return _give_up(ledger, body, str(error))
    ledger.change_open_release(body["release_id"], lambda _: {"is_started": True})
    ledger.stop_waiting(body["package_arn"])
    aws.log("release started", release=body["release_id"], package=body["package_arn"])
    return _started(body)


def _started(body: dict[str, Any]) -> dict[str, Any]:
    """Serving was asked for this release; an approval that comes again changes nothing."""
    return {"release_id": body["release_id"], "package": body["package_arn"]}


def _give_up(ledger: Ledger, body: dict[str, Any], reason: str) -> dict[str, Any]:
    """Somebody's deploy of Serving came first: its end must not be taken for the end of this release."""
    ledger.close_release(body, outcome="not-started", now=utc_now())
    return _not_now(ledger, body["package_arn"], Decision("release", "wait", "stack-busy", (reason,)))

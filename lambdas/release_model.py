"""An approved package goes to production: write the immutable release record, point Serving at it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from domain.decision import Decision
from domain.events import parse_approval
from domain.instances import Workload
from domain.names import BEFORE_PARAMETER, FILLER, RELEASE_PARAMETER, RELEASE_SLOTS
from domain.releases import (
    LETS_WAIT,
    Champion,
    ReleaseRecord,
    decide_release,
    is_handled,
    newest_waiting,
    next_release_id,
    overtaken,
)
from domain.returning import decide_return, good_before, needless
from domain.settings import ReleaseModelSettings
from lambdas import aws, people
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
            return {"verdict": "nothing-waits"}
        if in_place_of:
            return _go_back(settings, ledger, in_place_of)
        return _release(settings, ledger, package_arn)
    judged = parse_approval(event, group=settings.model_package_group)
    if not judged.is_judged:
        aws.log("no approval", package=judged.arn, changed=judged.changed)
        return {"verdict": "skip", "rule": "another-field-changed"}
    if not judged.is_approved:
        return _go_back(settings, ledger, judged.arn)
    return _release(settings, ledger, judged.arn, approved_at=judged.at)


def _go_back(settings: ReleaseModelSettings, ledger: Ledger, rejected: str) -> dict[str, Any]:
    """What serves, or will, was rejected: the release that was live before it comes again, like any other.

    Where that must wait, it is decided anew then: another release may have taken the rejected one's place.
    """
    serving, opened = ledger.serving(), ledger.open_release_body()
    earlier = good_before(rejected, ledger.releases())
    approved = (arn for arn in earlier if _package(arn)["ModelApprovalStatus"] == "Approved")
    decision = decide_return(
        rejected,
        approval=_package(rejected)["ModelApprovalStatus"],
        serving=serving[1] if serving else None,
        in_flight=opened["package_arn"] if opened else None,
        good=next(approved, None),
    )
    for one in needless(ledger.waiting(), rejected, decision):
        ledger.stop_waiting(one)
    if decision.verdict == "none":
        return decision.to_json()
    ledger.record(decision, subject=rejected, now=utc_now())
    if decision.verdict == "return":
        return _release(settings, ledger, decision.inputs["good"], in_place_of=rejected)
    people.tell(
        ledger,
        settings.topic_arn,
        about=f"{rejected} {decision.rule}",
        subject=f"{settings.model_package_group}: rejected and serving",
        message=f"{settings.model_package_group}: {'; '.join(decision.reasons)}",
    )
    return decision.to_json()


def _next_waiting(ledger: Ledger) -> tuple[str | None, str | None]:
    """The package of a release that was opened and not started, else the one that was approved last, else a way back.

    The second is the rejected package in whose place a way back comes. The last approved one overtakes the others.
    """
    opened = ledger.open_release_body()
    if opened and not opened.get("is_started"):
        return str(opened["package_arn"]), None
    waiting = ledger.waiting()
    found = newest_waiting([one for one in waiting if not one.get("in_place_of")])
    if found is None:
        return next(((one["package_arn"], one["in_place_of"]) for one in waiting), (None, None))
    newest, others = found
    for package_arn in others:
        decision = overtaken(package_arn, by=newest, report_uri=_report_uri(_package(package_arn)))
        ledger.record(decision, subject=package_arn, now=utc_now())
        ledger.stop_waiting(package_arn)
    return newest, None


def _release(
    settings: ReleaseModelSettings,
    ledger: Ledger,
    package_arn: str,
    *,
    approved_at: datetime | None = None,
    in_place_of: str | None = None,
) -> dict[str, Any]:
    """A way back, in place of a rejected package, is a person's act; a pause stops what acts by itself."""
    now, opened = utc_now(), ledger.open_release_body()
    if opened and opened["package_arn"] == package_arn:
        return _started(opened) if opened.get("is_started") else _update_serving(settings, ledger, opened)
    package, serving = _package(package_arn), ledger.serving()
    is_serving = serving is not None and serving[1] == package_arn
    decision = decide_release(
        package_arn=package_arn,
        champion=_live(settings, ledger.champion()),
        in_flight=opened["release_id"] if opened else None,
        paused=ledger.paused() and not in_place_of,
        stack_status=aws.stack(settings.serving_stack)["StackStatus"],
        approval="Approved" if is_serving else package["ModelApprovalStatus"],
        report_uri=_report_uri(package),
        is_handled=approved_at is not None
        and is_handled(package_arn, approved_at, releases=ledger.releases(), decisions=ledger.decisions()),
    )
    if decision.verdict != "release":
        return _not_now(ledger, package_arn, decision, approved_at=approved_at, in_place_of=in_place_of)
    release_id = next_release_id([release["release_id"] for release in ledger.releases()])
    ledger.record(decision, subject=f"{release_id}/{package_arn}", now=now)
    why = "; ".join(decision.reasons)
    # until Serving is asked for it
    ledger.let_wait(package_arn, because=why, now=now, approved_at=approved_at, in_place_of=in_place_of)
    record, facts = _record(settings, release_id, package)
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
    in_place_of: str | None = None,
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
    is_live = _release_key(settings) == f"{settings.release_prefix}{champion.release_id}"
    return champion if is_live else None


def _release_key(settings: ReleaseModelSettings) -> str | None:
    """The release record that Serving is given."""
    given = {p["ParameterKey"]: p["ParameterValue"] for p in aws.stack(settings.serving_stack)["Parameters"]}
    return given.get(RELEASE_PARAMETER)


def _package(package_arn: str) -> dict[str, Any]:
    """What the registry says of a package; one that is gone has no report and cannot be approved."""
    try:
        found: dict[str, Any] = aws.client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return {"ModelPackageArn": package_arn, "ModelApprovalStatus": "deleted"}
    return found


def _report_uri(package: dict[str, Any]) -> str:
    """Where the report of the run lies that made it; it names the run."""
    quality = package.get("ModelMetrics", {}).get("ModelQuality", {})
    return str(quality.get("Statistics", {}).get("S3Uri", ""))


def _record(
    settings: ReleaseModelSettings, release_id: str, package: dict[str, Any]
) -> tuple[ReleaseRecord, dict[str, Any]]:
    package_arn, report_uri = package["ModelPackageArn"], _report_uri(package)
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
    }
    return ReleaseRecord(release_id, container["ModelDataUrl"], container["Image"], package_arn, types), facts


def _keep_record(key: str, value: str) -> None:
    """Write the immutable record. Raises RuntimeError if the key holds another one."""
    ssm = aws.client("ssm")
    try:
        ssm.put_parameter(Name=key, Value=value, Type="StringList", Overwrite=False)
    except ssm.exceptions.ParameterAlreadyExists:
        held = [found["Value"] for found in ssm.get_parameters(Names=[key])["Parameters"]]
        if held != [value]:
            raise RuntimeError(
                f"{key}: got {value!r} to write, but it holds {held}; a record never changes: "
                "did an older deployment leave it behind? Delete it, then approve the package again"
            ) from None
        aws.log("the release record was written before", key=key)


def _update_serving(settings: ReleaseModelSettings, ledger: Ledger, body: dict[str, Any]) -> dict[str, Any]:
    """Every step may be done again: the record never changes, and the same key twice is no update."""
    key = f"{settings.release_prefix}{body['release_id']}"
    _keep_record(key, body["parameter"])
    try:
        _point_serving_at(settings, ledger, key, token=f"release-{body['release_id']}")
    except ClientError as error:
        if "IN_PROGRESS" not in str(error):
            raise
        if _release_key(settings) != key:
            return _give_up(ledger, body, str(error))
    ledger.change_open_release(body["release_id"], lambda _: {"is_started": True})
    ledger.stop_waiting(body["package_arn"])
    aws.log("release started", release=body["release_id"], package=body["package_arn"])
    return _started(body)


def _started(body: dict[str, Any]) -> dict[str, Any]:
    """Serving was asked for this release; an approval that comes again changes nothing."""
    return {"release_id": body["release_id"], "package": body["package_arn"]}


def _point_serving_at(settings: ReleaseModelSettings, ledger: Ledger, key: str, *, token: str) -> None:
    serving = ledger.serving()
    given = {RELEASE_PARAMETER: key, BEFORE_PARAMETER: serving[0] if serving else FILLER}
    declared = [parameter["ParameterKey"] for parameter in aws.stack(settings.serving_stack)["Parameters"]]
    parameters: list[dict[str, Any]] = [
        {"ParameterKey": name, "ParameterValue": given[name]}
        if name in given
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in declared
    ]
    try:
        aws.client("cloudformation").update_stack(
            StackName=settings.serving_stack,
            UsePreviousTemplate=True,
            Parameters=parameters,
            ClientRequestToken=token,
        )
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise


def _give_up(ledger: Ledger, body: dict[str, Any], reason: str) -> dict[str, Any]:
    """Somebody's deploy of Serving came first: its end must not be taken for the end of this release."""
    ledger.close_release(body, outcome="not-started", now=utc_now())
    return _not_now(ledger, body["package_arn"], Decision("release", "wait", "stack-busy", (reason,)))

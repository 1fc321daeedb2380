"""A release: an immutable record of what the endpoint is to run, and the judgement of what it does run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.counted import counted
from domain.decision import Decision
from domain.events import iso
from domain.names import FILLER, NO_RELEASE, RELEASE_SLOTS

UNSTARTED_HOURS = 24
"""For so long an open release may wait until Serving is asked for it; then its lease runs out."""
OVERTAKEN, NOT_APPROVED = "overtaken", "not-approved-any-more"
PAUSED, HANDLED = "paused", "approval-handled"
LETS_WAIT = (PAUSED, HANDLED)
"""Rules by which a package is not released now, and one that waits goes on waiting."""
REFUSALS = ("from-elsewhere", "other-image", "unsigned", "wrong-signature", "tampered")
"""Rules by which a package is never released as it is; see domain/provenance.py."""
ENDS_A_WAIT = (OVERTAKEN, NOT_APPROVED, *REFUSALS)
"""Rules by which a package that waited is not released, unless it is approved again."""


@dataclass(frozen=True)
class ReleaseRecord:
    """What Serving deploys. As text it is a list of fixed length, so that Fn::Select never fails."""

    release_id: str
    model_data: str
    image: str
    package_arn: str
    instance_types: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.instance_types) <= RELEASE_SLOTS:
            raise ValueError(f"instance types: got {len(self.instance_types)}; allowed: 1 to {RELEASE_SLOTS}")
        for value in (self.release_id, self.model_data, self.image, self.package_arn, *self.instance_types):
            if not value or "," in value or value == FILLER:
                raise ValueError(f"a release record cannot hold {value!r}: a value is text without a comma")

    def to_parameter(self) -> str:
        """The value of an SSM StringList.

        >>> ReleaseRecord("000001", "s3://b/m.tar.gz", "repo@sha256:1", "arn:p/1", ("ml.c5.large",)).to_parameter()
        '000001,s3://b/m.tar.gz,repo@sha256:1,arn:p/1,ml.c5.large,-,-'
        """
        fillers = (FILLER,) * (RELEASE_SLOTS - len(self.instance_types))
        return ",".join(
            (self.release_id, self.model_data, self.image, self.package_arn, *self.instance_types, *fillers)
        )

    @classmethod
    def from_parameter(cls, value: str) -> ReleaseRecord:
        release_id, model_data, image, package_arn, *types = value.split(",")
        return cls(release_id, model_data, image, package_arn, tuple(t for t in types if t != FILLER))


def no_release() -> str:
    """The value under which Serving has no endpoint: as long as a record, and its id is `none`.

    >>> no_release()
    'none,-,-,-,-,-,-'
    """
    return ",".join((NO_RELEASE, *[FILLER] * (3 + RELEASE_SLOTS)))


@dataclass(frozen=True)
class Champion:
    """The model that serves: the release that proved itself last."""

    release_id: str
    package_arn: str
    model_data: str
    image: str
    report_uri: str
    profile_uri: str
    heldout_loss: float
    since: str


def model_stamp(package_arn: str) -> str:
    """A package's group and version, for people.

    >>> model_stamp("arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/7")
    'tideline-dev/7'
    """
    return "/".join(package_arn.split("/")[-2:])


def next_release_id(existing: Sequence[str]) -> str:
    """The id after the highest one.

    >>> next_release_id(["000001", "000009"]), next_release_id([])
    ('000010', '000001')
    """
    return f"{max((int(one) for one in existing), default=0) + 1:06d}"


def decide_release(
    *,
    package_arn: str,
    champion: Champion | None,
    in_flight: str | None,
    paused: bool,
    stack_status: str,
    approval: str = "Approved",
    report_uri: str = "",
    is_handled: bool = False,
    newer: str | None = None,
) -> Decision:
    """Release an approved package, let it wait, or leave things as they are. The first rule that holds decides.

    `approval` is what the registry says of the package now; one that waited may be rejected or gone since.
    `is_handled`: the very approval that asks was handled before, and its event came again.
    `newer`: the package that serves and was approved after this one, whose event came late.
    """
    inputs: dict[str, Any] = {
        "package": package_arn,
        "report": report_uri,
        "champion": champion.package_arn if champion else None,
        "stack_status": stack_status,
    }

    def decided(verdict: str, rule: str, reason: str) -> Decision:
        return Decision("release", verdict, rule, (reason,), inputs)

    if is_handled:
        return decided("skip", HANDLED, f"this approval of {model_stamp(package_arn)} was handled before")
    if paused:
        return decided(
            "skip",
            PAUSED,
            "somebody paused this deployment; approve again after `./tideline pause --resume`",
        )
    if in_flight:
        return decided("wait", "release-in-flight", f"release {in_flight} has not settled; it goes next")
    if champion and champion.package_arn == package_arn:
        return decided("skip", "already-live", f"{model_stamp(package_arn)} is what the endpoint runs")
    if newer:
        return overtaken(package_arn, by=newer, report_uri=report_uri)
    if approval != "Approved":
        return decided("skip", NOT_APPROVED, f"{model_stamp(package_arn)} is {approval} by now")
    if not takes_updates(stack_status):
        return decided("wait", "stack-busy", f"Serving is {stack_status}; it goes when that has settled")
    return decided("release", "approved", f"{model_stamp(package_arn)} is approved and not live")


def is_handled(
    package_arn: str,
    approved_at: datetime,
    *,
    releases: Sequence[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, Any]],
) -> bool:
    """Was this approval answered by a release, or by the end of the package's wait?

    Events come at least once, and late: one that comes again after a newer release must not bring the older model back.
    """
    since = iso(approved_at)
    released = (
        one["opened_at"]
        for one in releases
        if one["package_arn"] == package_arn and one["outcome"] != "not-started"
    )
    ended = (
        one["at"]
        for one in decisions
        if (one["kind"], one["subject"]) == ("release", package_arn) and one["rule"] in ENDS_A_WAIT
    )
    return any(at >= since for at in (*released, *ended))


def approved_later(package_arn: str, since: str, releases: Sequence[Mapping[str, Any]]) -> str | None:
    """The package of a release that stayed, and was approved after `since`: events may come in another order.

    >>> release = {"package_arn": "p/2", "outcome": "live", "approved_at": "2013-04-21T12:00:02Z"}
    >>> approved_later("p/1", "2013-04-21T12:00:01Z", [release])
    'p/2'
    >>> approved_later("p/1", "2013-04-21T12:00:01Z", [{**release, "outcome": "rolled-back"}]) is None
    True
    """
    stayed = (one for one in releases if one["outcome"] in ("live", "held"))
    later = (one for one in stayed if since and one.get("approved_at", "") > since)
    return next((str(one["package_arn"]) for one in later if one["package_arn"] != package_arn), None)


def overtaken(package_arn: str, *, by: str, report_uri: str) -> Decision:
    """A package that waited, and another one was approved after it."""
    inputs = {"package": package_arn, "report": report_uri}
    return Decision("release", "skip", OVERTAKEN, (f"{model_stamp(by)} was approved later",), inputs)


def decide_unstarted(release_id: str, *, opened_at: datetime, now: datetime, is_named: bool) -> Decision:
    """A release that is open and for which Serving was never asked: ask once more, or let its lease run out.

    `is_named`: Serving has this release's record already, so that only the note of it was lost.
    """
    age = now - opened_at
    hours = counted(age.total_seconds() // 3600, "hour")
    waited = f"release {release_id} was opened {hours} ago and Serving was not asked for it"
    inputs = {"opened_at": iso(opened_at), "is_named": is_named}
    if is_named or age < timedelta(hours=UNSTARTED_HOURS):
        return Decision("release", "resume", "not-started", (f"{waited}; it is asked now",), inputs)
    reason = f"{waited}: its lease ran out; its package waits, and goes as another release"
    return Decision("release", "expire", "lease-ran-out", (reason,), inputs)


def takes_updates(stack_status: str) -> bool:
    """Does CloudFormation take an update of a stack in this status?"""
    return stack_status in (
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    )


def newest_waiting(waiting: Sequence[Mapping[str, str]]) -> tuple[str, tuple[str, ...]] | None:
    """Of the packages that wait, the one that was approved last, and the others, which it overtakes.

    >>> newest_waiting([{"package_arn": "p/2", "since": "2013-04-20"}, {"package_arn": "p/1", "since": "2013-04-21"}])
    ('p/1', ('p/2',))
    >>> newest_waiting([]) is None
    True
    """
    ordered = [one["package_arn"] for one in sorted(waiting, key=lambda one: one["since"])]
    return (ordered[-1], tuple(ordered[:-1])) if ordered else None


def due(waiting: Sequence[Mapping[str, Any]], now: datetime) -> list[Mapping[str, Any]]:
    """Of the packages that wait, those that are not to be left alone until later.

    >>> later = {"package_arn": "p/2", "not_before": "2013-04-21T13:00:00Z"}
    >>> due([{"package_arn": "p/1"}, later], datetime.fromisoformat("2013-04-21T12:00:00Z"))
    [{'package_arn': 'p/1'}]
    """
    return [one for one in waiting if one.get("not_before", "") <= iso(now)]


def held_release(releases: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Of all releases, oldest first, the one that serves without having proved itself; a later one takes its place.

    >>> held_release([{"outcome": "live"}, {"outcome": "held"}, {"outcome": "rolled-back"}])
    {'outcome': 'held'}
    >>> held_release([{"outcome": "held"}, {"outcome": "live"}]) is None
    True
    """
    serving = [one for one in releases if one["outcome"] in ("live", "held")]
    return serving[-1] if serving and serving[-1]["outcome"] == "held" else None

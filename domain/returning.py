"""Back to the last good release: what serves was rejected, by a person or a program of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from domain.decision import Decision
from domain.judging import NO_ROOM, SCALING
from domain.releases import NOT_APPROVED, model_stamp

Body = Mapping[str, Any]
NOT_SERVING = "rejected-one-does-not-serve"
RETRY_AFTER = timedelta(hours=1)
"""So long what goes again by itself is left alone; after that the daily look takes it, or the next end of an update."""


@dataclass(frozen=True)
class Rejected:
    """The package from which a way back leads, and when it was rejected: one that is rejected again is another case."""

    package_arn: str
    at: str

    @classmethod
    def of(cls, body: Body) -> Rejected | None:
        """Of a package that waits or a release, as the ledger has it; None if it is no way back."""
        arn = body.get("in_place_of")
        return cls(arn, body.get("rejected_at", "")) if arn else None

    def to_json(self) -> dict[str, str]:
        return {"in_place_of": self.package_arn, "rejected_at": self.at}

    @property
    def case(self) -> str:
        """
        >>> Rejected("p/2", "2013-04-21T12:00:00Z").case, Rejected("p/2", "").case
        ('p/2@2013-04-21T12:00:00Z', 'p/2')
        """
        return f"{self.package_arn}@{self.at}" if self.at else self.package_arn


def is_tried_again(decision: Decision, body: Body) -> bool:
    """Does a release that failed without fault of its model go again by itself?

    After a change of the number of instances each does. Where AWS had no room, only a way back: what serves is bad.
    """
    return decision.rule == SCALING or (decision.rule == NO_ROOM and Rejected.of(body) is not None)


def good_before(rejected: str, releases: Sequence[Body]) -> tuple[str, ...]:
    """The packages that were live before, the latest first, each once; never the rejected one.

    >>> then = [{"package_arn": f"p/{n}", "outcome": how} for n, how in ((1, "live"), (2, "rolled-back"), (3, "live"))]
    >>> good_before("p/3", [*then, *then[:1]]), good_before("p/1", then)
    (('p/1',), ('p/3',))
    """
    live = (one["package_arn"] for one in reversed(releases) if one["outcome"] == "live")
    return tuple(dict.fromkeys(arn for arn in live if arn != rejected))


def needless(waiting: Sequence[Body], rejected: str, decision: Decision) -> tuple[str, ...]:
    """The packages that wait as the way back from the rejected one and, by this decision, are it no longer.

    >>> back = {"package_arn": "p/1", "in_place_of": "p/2"}
    >>> needless([back, {"package_arn": "p/3"}], "p/2", Decision("release", "none", "approved-since", ()))
    ('p/1',)
    """
    good = decision.inputs.get("good") if decision.verdict == "return" else None
    ways = (one["package_arn"] for one in waiting if one.get("in_place_of") == rejected)
    return tuple(arn for arn in ways if arn != good)


def decide_return(
    rejected: str, *, approval: str, serving: str | None, good: str | None, in_flight: str | None = None
) -> Decision:
    """Go back, stay, or call people. `good` is the latest package of `good_before` that may be released again.

    `approval` is what the registry says of the rejected one now: the event of a rejection may come late, or twice.
    One that is `in_flight` may serve in the end: then its way back waits for that.
    """
    inputs = {"rejected": rejected, "serving": serving, "good": good}

    def decided(verdict: str, rule: str, reason: str) -> Decision:
        return Decision("release", verdict, rule, (reason,), inputs)

    stamp = model_stamp(rejected)
    if serving != rejected and (in_flight != rejected or good is None):
        return decided("none", NOT_SERVING, f"{stamp} is rejected and does not serve")
    if approval != "Rejected":
        return decided("none", "approved-since", f"{stamp} is {approval} by now")
    if good is None:
        return decided(
            "page",
            "nothing-to-return-to",
            f"no earlier release that was live is still approved and as it was signed, so {stamp} goes on serving; "
            "approve another version",
        )
    return decided("return", "serving-one-rejected", f"{model_stamp(good)} serves again in place of {stamp}")


def never_released(
    rejected: str, decision: Decision, begun: Sequence[Body], *, report_uri: str
) -> Decision | None:
    """A package that was rejected before it waited: a push that waits for its release must hear that none will come.

    `begun` are the releases and the packages that wait: each of those comes to an end of its own.
    """
    if decision.rule != NOT_SERVING or any(one["package_arn"] == rejected for one in begun):
        return None
    inputs = {"package": rejected, "report": report_uri}
    reason = f"{model_stamp(rejected)} was rejected before it was released"
    return Decision("release", "skip", NOT_APPROVED, (reason,), inputs)

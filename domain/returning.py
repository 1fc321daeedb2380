"""Back to the last good release: what serves was rejected, by a person or a program of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.decision import Decision
from domain.releases import model_stamp

Body = Mapping[str, Any]


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
    """Go back, stay, or call people. `good` is the latest package of `good_before` that is still approved.

    `approval` is what the registry says of the rejected one now: the event of a rejection may come late, or twice.
    One that is `in_flight` may serve in the end: then its way back waits for that.
    """
    inputs = {"rejected": rejected, "serving": serving, "good": good}

    def decided(verdict: str, rule: str, reason: str) -> Decision:
        return Decision("release", verdict, rule, (reason,), inputs)

    stamp = model_stamp(rejected)
    if serving != rejected and (in_flight != rejected or good is None):
        return decided("none", "rejected-one-does-not-serve", f"{stamp} is rejected and does not serve")
    if approval != "Rejected":
        return decided("none", "approved-since", f"{stamp} is {approval} by now")
    if good is None:
        return decided(
            "page",
            "nothing-to-return-to",
            f"no earlier release that was live is still approved, so {stamp} goes on serving; approve another version",
        )
    return decided("return", "serving-one-rejected", f"{model_stamp(good)} serves again in place of {stamp}")

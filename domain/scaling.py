"""Auto-scaling and releases: AWS takes no other instance type while an endpoint is registered for scaling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.decision import Decision
from domain.events import iso
from domain.names import FILLER, NO_RELEASE, SCALING_OFF, SCALING_ON, SCALING_PARAMETER

BURSTABLE = re.compile(r"ml\.t\d")


def refuse_burstable(types: Sequence[str]) -> None:
    """Raises ValueError: AWS registers no burstable instance for scaling.

    >>> refuse_burstable(["ml.c5.large", "ml.m5.large"])
    """
    found = [one for one in types if BURSTABLE.match(one)]
    if found:
        raise ValueError(
            f"serving.scaling: got the burstable {', '.join(found)}, which SageMaker does not scale; allowed are types "
            "of other families: take the burstable ones out of config/prices/, or leave serving.scaling out"
        )


def replaced_release(serving: str | None, *, release_key: str | None) -> str:
    """What Serving is told of the release that is replaced: its id, or a filler where there is no endpoint.

    >>> replaced_release("000003", release_key="/tideline/dev/releases/000003")
    '000003'
    >>> replaced_release("000003", release_key="/tideline/dev/releases/none")
    '-'
    """
    return serving if serving and _has_endpoint(release_key) else FILLER


def decide_leaving(
    given: Mapping[str, str], *, release_key: str | None, serving: Sequence[str], wanted: Sequence[str]
) -> Decision | None:
    """Must the endpoint leave auto-scaling before this release? `serving`, `wanted`: instance types, in order.

    `given` are Serving's parameters. None: one update of Serving is enough.
    """
    if given.get(SCALING_PARAMETER) != SCALING_ON or not _has_endpoint(release_key):
        return None
    if list(serving) == list(wanted):
        return None
    reason = (
        f"the instance types change from {', '.join(serving) or 'what is not known'} to {', '.join(wanted)}, which AWS "
        "refuses while the endpoint scales: it leaves auto-scaling first, and comes back with the release"
    )
    inputs = {"serving": list(serving), "wanted": list(wanted)}
    return Decision("release", "stop-scaling", "instance-types-change", (reason,), inputs)


def decide_coming_back(
    given: Mapping[str, str], *, release_key: str | None, tried: bool, now: datetime
) -> Decision | None:
    """Serving at rest without a release in flight: an endpoint that left auto-scaling comes back, once a day at most.

    `tried`: it was asked for today already, and Serving still says off.
    """
    if given.get(SCALING_PARAMETER) != SCALING_OFF or not _has_endpoint(release_key):
        return None
    inputs = {"release_key": release_key, "at": iso(now)}
    left = "the endpoint left auto-scaling for a change of instance types that did not come about"
    if tried:
        why = f"{left}, and could not come back today; it is tried again tomorrow: see docs/runbooks/rollback.md"
        return Decision("release", "page", "not-scaling", (why,), inputs)
    return Decision("release", "scale-again", "not-scaling", (f"{left}: it comes back",), inputs)


def _has_endpoint(release_key: str | None) -> bool:
    return release_key is not None and not release_key.endswith(f"/{NO_RELEASE}")

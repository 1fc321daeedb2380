"""What is promised of each deployed thing, whether or not a life happens to need it.

A life shows that the loop closes. It does not show that an alarm would have fired on another day, that a key turns, or
that a role cannot do more than it did. So what is deployed is asked for that, as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.promises import drills, jobs, kept, patterns, reach, settings, steps, timetable
from rehearsal.scenarios.promises.deployed import Deployed
from rehearsal.scenarios.turn import Outcome

PROMISES = (
    ("every function is set as the configuration says", settings.wrong),
    ("what is deployed is kept, encrypted and bounded as promised", kept.broken),
    ("every job is shut in and encrypted, and registers what its gate passed", jobs.broken),
    ("every alarm fires when it must, and only then", drills.failed),
    ("every daily look has its hour", timetable.wrong),
    ("every rule takes the states that it is for, and no other", patterns.wrong),
    ("every step of a push runs what it says", steps.wrong),
    ("no role is trusted or may do more than its own things need", reach.too_far),
)
MOST_SHOWN = 3


def check_promises(outcome: Outcome) -> Iterator[Finding]:
    deployed = Deployed.of(outcome)
    for expectation, look in PROMISES:
        told = sorted(look(deployed))
        yield Finding(expectation, not told, "; ".join(told[:MOST_SHOWN]))

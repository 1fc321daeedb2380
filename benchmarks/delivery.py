"""Releases under constant traffic: what is lost, and what a bad version answers before the old one is back.

Ours are 20 releases and 5 rollbacks of the deployed stacks. Beside them stand the releases of two public templates,
with the same versions and the same requests. Both are played in the local account: an emulation, not AWS.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.releasing.ours import GOOD, LIVES, SLOW, Released, Tideline, deployed
from benchmarks.releasing.peers import DEPLOYMENT_PATTERNS, DRIFT_DETECTION, Peer, Template
from benchmarks.releasing.traffic import MAX_LATENCY_MS, SERVER_ERROR, Client, Response, lost
from benchmarks.results import Claim
from rehearsal.scenarios import brought
from rehearsal.scenarios.brought import Change

WATCHED_MINUTES = 10
"""How long after the start of a bad release is counted; a peer that does not go back goes on longer."""
RELEASES, ROLLBACKS = 20, 5
CANARY = "canary of two"


@dataclass(frozen=True)
class Measure:
    """What a bad version does to a request, and how a client sees it."""

    change: Change
    it: str
    claim: str
    is_bad: Callable[[Response], bool]


MEASURES = (
    Measure(
        SLOW,
        "a slow version",
        f"requests over {MAX_LATENCY_MS} ms in the {WATCHED_MINUTES} minutes after a slow version's release",
        lambda response: response.milliseconds > MAX_LATENCY_MS,
    ),
    Measure(
        brought.failing,
        "a failing version",
        f"requests answered with 5xx in the {WATCHED_MINUTES} minutes after a failing version's release",
        lambda response: response.status >= SERVER_ERROR,
    ),
)


def measure() -> list[Claim]:
    with tempfile.TemporaryDirectory(prefix="bench-delivery-") as scratch, deployed(Path(scratch)) as ours:
        released, failing, concurrent = _live(ours, Path(scratch))
        _check(released, concurrent)
        bad: dict[Change, Sequence[Response]] = {
            SLOW: next(one for one in released if (one.life, one.change) == (CANARY, SLOW)).responses,
            brought.failing: failing,
        }
        plain, patterns = _peer(ours, DRIFT_DETECTION), _peer(ours, DEPLOYMENT_PATTERNS)
        claims = [_lost(released, concurrent, _twenty_five(ours, plain))]
        for peer in (plain, patterns):
            claims += [claim for measured in MEASURES for claim in _compared(ours, peer, measured, bad)]
    return claims


def _live(ours: Tideline, scratch: Path) -> tuple[list[Released], list[Response], list[Response]]:
    """All lives; a version that fails comes on top, since of its requests some must be lost."""
    client = Client(ours.deployment.account, ours.deployment.names.endpoint, ours.body)
    client.start()
    released, failing = [], []
    for number, life in enumerate(LIVES):
        ours.reshape(life, scratch / f"life-{number}")
        for change in life.releases:
            released.append(ours.release(life.name, change))
            print(f"{life.name}: {change.__name__} {released[-1].outcome}", flush=True)
    concurrent = client.finish()
    ours.reshape(next(life for life in LIVES if life.name == CANARY), scratch / "again")
    failing = ours.release(CANARY, brought.failing).responses
    return released, failing, concurrent


def _check(released: Sequence[Released], concurrent: Sequence[Response]) -> None:
    """A number counts only if what it is about has happened."""
    wanted = ["live" if one.change is GOOD else "rolled-back" for one in released]
    got = [one.outcome for one in released]
    if got != wanted or (got.count("live"), got.count("rolled-back")) != (RELEASES, ROLLBACKS):
        raise SystemExit(f"the releases ended as {got}, wanted was {wanted}")
    if not concurrent:
        raise SystemExit("nobody asked while the releases went on")


def _peer(ours: Tideline, template: Template) -> Peer:
    account = ours.deployment.account
    role = ours.deployment.physical_id("storage", "ModelRole", "AWS::IAM::Role")
    endpoint = f"peer-{template.build.__name__.replace('_', '-')}"
    arn = f"arn:aws:iam::{account.id}:role/{role}"
    return Peer(account, template, endpoint, arn, ours.champion, ours.body)


def _twenty_five(ours: Tideline, peer: Peer) -> list[Response]:
    """The same versions in the same order, two minutes each; a bad one is replaced by the next."""
    first = len(peer.traffic.responses)
    client = Client(peer.account, peer.endpoint, peer.body)
    client.start()
    for change in (change for life in LIVES for change in life.releases):
        peer.release(brought.bring(ours.deployment, ours.champion, change), minutes=2)
        print(f"{peer.endpoint}: {change.__name__}", flush=True)
    return [*peer.traffic.responses[first:], *client.finish()]


def _lost(released: Sequence[Released], concurrent: Sequence[Response], peer: Sequence[Response]) -> Claim:
    asked = [response for one in released for response in one.responses] + list(concurrent)
    print(f"asked {len(asked)} and {len(peer)} requests", flush=True)
    claim = f"{lost(asked)} requests lost in {RELEASES} releases and {ROLLBACKS} rollbacks"
    return Claim(claim, lost(asked), lost(peer), DRIFT_DETECTION.name, "requests")


def _compared(
    ours: Tideline, peer: Peer, measured: Measure, bad: Mapping[Change, Sequence[Response]]
) -> list[Claim]:
    """The same bad version by a peer's template; afterwards a person takes it back there."""
    package = brought.bring(ours.deployment, ours.champion, measured.change)
    theirs = peer.release(package, minutes=WATCHED_MINUTES)
    peer.take_back()
    own = bad[measured.change]
    first = [one for one in own if one.at < own[0].at + timedelta(minutes=WATCHED_MINUTES)]
    mine, other = ([one.at for one in answers if measured.is_bad(one)] for answers in (first, theirs))
    print(f"{peer.endpoint}: {measured.change.__name__} {len(mine)} {len(other)}", flush=True)
    name, until = (
        peer.template.name,
        f"of the first {WATCHED_MINUTES} minutes, those in which {measured.it} answers",
    )
    return [
        Claim(measured.claim, len(mine), len(other), name, f"of {len(theirs)} requests"),
        Claim(until, len(set(mine)), len(set(other)), name, "minutes"),
    ]

"""What must have happened, each read from the journal and the account, and where to look if it did not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from config.schema import PRICES
from domain.counted import counted
from domain.names import Prefix
from domain.prices import parse_prices
from domain.replay import AGAIN, Rules, replay
from rehearsal.scenarios import states
from rehearsal.scenarios.coverage import every_part_worked, silent_alarms
from rehearsal.scenarios.finding import Expectation, Finding
from rehearsal.scenarios.neighbour import DELIVERY, FAILURE, NEAR_MISSES, PUSH, TRANSFORM
from rehearsal.scenarios.outcomes import as_expected
from rehearsal.scenarios.permissions import check_permissions
from rehearsal.scenarios.promises import check_promises
from rehearsal.scenarios.provenance import check_provenance
from rehearsal.scenarios.scaling import check_scaling
from rehearsal.scenarios.strangers import check_strangers
from rehearsal.scenarios.turn import Outcome
from rehearsal.scenarios.unseen import check_unseen


def check(outcome: Outcome) -> list[Finding]:
    """Every expectation of the scenario, in the order of the loop."""
    expectations = UP_TO_THE_GATE if outcome.refused else EXPECTATIONS
    return [finding for expect in expectations for finding in _findings(expect, outcome)]


def _findings(expect: Expectation, outcome: Outcome) -> Iterator[Finding]:
    """An expectation that cannot even look, because a stack is not there, did not hold."""
    try:
        yield from expect(outcome)
    except Exception as error:
        yield Finding(
            f"what {expect.__name__.strip('_')} looks at is there", False, f"{type(error).__name__}: {error}"
        )


def _to_the_end(outcome: Outcome) -> Iterator[Finding]:
    yield Finding("the scenario is played to its end", not outcome.stopped, outcome.stopped)


def _stacks(outcome: Outcome) -> Iterator[Finding]:
    last = {entry.facts["stack"]: entry.facts for entry in outcome.deployment.account.journal.of("stack")}
    for part in ("storage", "training", "serving", "monitoring", "retraining"):
        stack = outcome.deployment.names.stack(part)
        status = last.get(stack, {}).get("status", "never deployed")
        reason = last.get(stack, {}).get("reason", "")
        is_sound = status.endswith("_COMPLETE") and "ROLLBACK" not in status
        went_back = (
            part == "serving" and status == "UPDATE_ROLLBACK_COMPLETE" and _ended_by_a_rollback(outcome)
        )
        yield Finding(f"{stack} is deployed", is_sound or went_back, f"{status}: {reason}")


def _ended_by_a_rollback(outcome: Outcome) -> bool:
    """Was the last release rolled back? Then its stack says so, and serves what it served before."""
    releases = outcome.deployment.ledger_bodies("RELEASE")
    return bool(releases) and releases[-1]["outcome"] == "rolled-back"


def _pushes(outcome: Outcome) -> Iterator[Finding]:
    """Only pushes that came due: one that fell behind an early end proves nothing."""
    if outcome.pipeline is None:
        return
    for pushed in outcome.pushed:
        where = f"{pushed.end}, {pushed.status}: {pushed.stages} {pushed.reasons}"
        sentence = f"{pushed.push.message} ({pushed.push.at:%d %B}) ends as {pushed.push.end}"
        yield Finding(sentence, pushed.end == pushed.push.end, where)
    said = all(pushed.not_run for pushed in outcome.pushed if pushed.end != "refused-by-verify")
    yield Finding("a push says what did not run here", said and bool(outcome.pushed), str(outcome.pushed))
    mute = [pushed.push.message for pushed in outcome.pushed if pushed.told != (pushed.status == "FAILED")]
    yield Finding("people are told of each push that fails, and of no other", not mute, "; ".join(mute))


def _push(outcome: Outcome) -> Iterator[Finding]:
    decision = outcome.first_training.get("decision", {})
    started = decision.get("verdict") == "start"
    yield Finding("a push starts the first training run", started, f"start_training: {decision}")


def _first_model(outcome: Outcome) -> Iterator[Finding]:
    releases = outcome.deployment.ledger_bodies("RELEASE")
    live = [release for release in releases if release["outcome"] == "live"]
    yield Finding("the first model is released and live", bool(live), _why_not_live(outcome))


def _why_not_live(outcome: Outcome) -> str:
    for entry in outcome.deployment.account.journal.of("invocation", "step", "job", "stack", "delivery"):
        facts = entry.facts
        if facts.get("ok") is False or "FAILED" in str(facts.get("status", "")).upper():
            who = next(facts[key] for key in ("function", "step", "job", "stack", "rule") if key in facts)
            return f"{entry.kind} {who}: {facts.get('error') or facts.get('reason')}"
    return "nothing failed; did the approval reach release_model?"


def _serving(outcome: Outcome) -> Iterator[Finding]:
    if outcome.world is None:
        return
    answers = outcome.world.asked
    lost = [answer for answer in answers if not answer.predictions]
    where = (
        f"{len(lost)} of {counted(len(answers), 'request')} failed, the first: {lost[0].error}"
        if lost
        else ""
    )
    yield Finding("every request is answered", not lost and bool(answers), where)
    parity = outcome.parity
    difference = (
        f"largest difference {parity.largest_difference:g} over {counted(parity.rows, 'row')}"
        if parity
        else "not checked"
    )
    yield Finding(
        "the endpoint answers what the model in memory says", bool(parity and parity.holds), difference
    )


def _data(outcome: Outcome) -> Iterator[Finding]:
    deployment = outcome.deployment
    s3 = deployment.account.client("s3")
    prefix = f"{Prefix.CAPTURE}{deployment.names.endpoint}/"
    captured = s3.list_objects_v2(Bucket=deployment.bucket("Capture"), Prefix=prefix, MaxKeys=1).get(
        "KeyCount", 0
    )
    yield Finding(
        "traffic is captured", captured > 0, f"nothing under {prefix}; see Serving's DataCaptureConfig"
    )
    decided = deployment.ledger_bodies("DECISION")
    failed = {d["subject"] for d in decided if d["kind"] == "gate" and d["verdict"] == "none"}
    sizes = [
        d["inputs"]["snapshot_rows"]
        for d in decided
        if d["kind"] == "training" and d["verdict"] == "start" and d["subject"] not in failed
    ]
    grew = len(sizes) + len(failed) > outcome.scenario.expects_drift and all(
        a < b for a, b in pairwise(sizes)
    )
    yield Finding(
        "each run trains on a larger snapshot", grew, f"rows of the snapshots that were trained: {sizes}"
    )


def _loop(outcome: Outcome) -> Iterator[Finding]:
    deployment, wanted = outcome.deployment, outcome.scenario.retrains
    decided = deployment.ledger_bodies("DECISION")
    if outcome.scenario.expects_drift:
        yield from _drift(outcome, decided, wanted)
    runs = [run for run in deployment.ledger_bodies("RUN") if run["plan"]["cause"] == "alarm"]
    settled = [run for run in runs if run["status"] == "SETTLED"]
    ended = f"runs by alarm: {[run['status'] for run in runs]}"
    yield Finding(
        "every run by an alarm ends and is settled", len(settled) == len(runs) >= min(wanted, 1), ended
    )
    live = [r for r in deployment.ledger_bodies("RELEASE") if r["outcome"] == "live"]
    passed = [d for d in decided if d["kind"] == "gate" and d["verdict"] == "passed"]
    endpoint, met = deployment.names.endpoint, deployment.account.journal.of("fault")
    back = sum(pushed.push.end == "rolled-back" for pushed in outcome.pushed)
    back += sum(entry.facts["job"] == endpoint for entry in met)
    verdicts = (
        f"{len(passed)} models passed their gate, {len(live)} are released for good, {back} are to go back"
    )
    yield Finding(
        "every model that passes its gate is released", len(live) + back == len(passed) > 0, verdicts
    )
    gates = [d for d in decided if d["kind"] == "gate"]
    yield Finding(
        "every run is judged by the gate",
        len(gates) == len(deployment.ledger_bodies("RUN")),
        f"{len(gates)} judgements",
    )


def _drift(outcome: Outcome, decided: list[dict[str, Any]], wanted: int) -> Iterator[Finding]:
    deployment = outcome.deployment
    alarm = f"{deployment.names.deployment}-loss"
    fired = [
        e
        for e in deployment.account.journal.of("alarm")
        if e.facts["alarm"] == alarm and e.facts["new"] == "ALARM"
    ]
    yield Finding(
        f"{alarm} fires",
        bool(fired),
        "; ".join(silent_alarms(outcome)) or "its metric never passed the threshold",
    )
    retrains = [d for d in decided if d["kind"] == "retrain" and d["verdict"] == "start"]
    got = [
        f"{d['verdict']} ({d['rule']})" for d in decided if d["kind"] == "retrain"
    ] or "no decision; see OnDrift and its queue"
    yield Finding(
        f"an alarm starts at least {counted(wanted, 'retrain')}",
        len(retrains) >= wanted,
        f"retrain decided: {got}",
    )


def _wiring(outcome: Outcome) -> Iterator[Finding]:
    journal = outcome.deployment.account.journal
    failed = [e for e in journal.of("invocation") if not e.facts["ok"]]
    where = "; ".join(sorted({f"{e.facts['function']}: {e.facts['error']}" for e in failed})[:3])
    yield Finding("no function fails", not failed, where)
    refused = [e for e in journal.of("delivery") if not e.facts["ok"]]
    where = "; ".join(
        sorted({f"{e.facts['rule']} -> {e.facts['target']}: {e.facts.get('error')}" for e in refused})[:3]
    )
    yield Finding("every delivery arrives", not refused, where)
    dead = [e.facts for e in journal.of("dead-letter")]
    yield Finding("nothing lies in dead letters", not dead, str(dead[:2]))
    unsupported = sorted({e.facts["what"] for e in journal.of("unsupported")})
    yield Finding("the local account has all that was asked of it", not unsupported, "; ".join(unsupported))


def _neighbour(outcome: Outcome) -> Iterator[Finding]:
    sent = {miss.id: miss for miss in outcome.near_misses}
    through = [
        e.facts for e in outcome.deployment.account.journal.of("delivery") if e.facts.get("event_id") in sent
    ]
    where = "; ".join(
        f"{d['rule']} took an event of a neighbour that differs from ours in {sent[d['event_id']].field!r}: "
        "its pattern lacks that field"
        for d in through
    )
    kinds = {miss.detail_type for miss in outcome.near_misses}
    unneeded = (
        (set() if outcome.scenario.expects_drift else {"CloudWatch Alarm State Change"})
        | (set() if outcome.pipeline else {DELIVERY, PUSH})
        | (set() if outcome.deployment.config.serving.mode == "batch" else {TRANSFORM})
        | (set() if any(pushed.status == "FAILED" for pushed in outcome.pushed) else {FAILURE})
    )
    yield Finding(
        "no rule takes a neighbour's event",
        not through and kinds | unneeded == set(NEAR_MISSES),
        where or f"sent: {sorted(kinds)}",
    )


def _isolation(_: Outcome) -> Iterator[Finding]:
    ours = sorted(name for name in sys.modules if name.split(".")[0] in ("lambdas", "training"))
    yield Finding("no handler and no training code ran in this process", not ours, ", ".join(ours))


def _again(outcome: Outcome) -> Iterator[Finding]:
    """`./tideline replay`, under the configuration that the deployment had all along."""
    config, decisions = outcome.deployment.config, outcome.deployment.ledger_bodies("DECISION")
    book = parse_prices((PRICES / f"{config.region}.csv").read_text(), config.region)
    made = [one for one in replay(decisions, Rules.from_config(config.model_dump(), book)) if one.now]
    differ = "; ".join(f"{one.then['kind']} {one.then['subject']}" for one in made if one.differs)
    yield Finding("decisions made again on what the ledger kept come out the same", not differ, differ)
    kinds = {one.then["kind"] for one in made}
    kept = {one["kind"] for one in decisions} & set(AGAIN)
    yield Finding("each kind that can be made again is", kinds == kept, f"{sorted(kinds)} of {sorted(kept)}")


EXPECTATIONS: tuple[Expectation, ...] = (
    _to_the_end,
    _stacks,
    _pushes,
    _push,
    _first_model,
    _serving,
    check_scaling,
    _data,
    _loop,
    as_expected,
    _wiring,
    check_permissions,
    check_provenance,
    check_strangers,
    check_unseen,
    check_promises,
    every_part_worked,
    states.agree,
    _again,
    _neighbour,
    _isolation,
)
UP_TO_THE_GATE: tuple[Expectation, ...] = (_to_the_end, _stacks, _push, as_expected, _wiring, _isolation)
"""What can be asked where the gate refused the first model."""

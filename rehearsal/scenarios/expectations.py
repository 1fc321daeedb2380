"""What must have happened, each read from the journal and the account, and where to look if it did not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from domain.names import Prefix
from rehearsal.engine import alarms
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.neighbour import DELIVERY, NEAR_MISSES
from rehearsal.scenarios.permissions import check_permissions
from rehearsal.scenarios.turn import Outcome

Expectation = Callable[[Outcome], Iterator[Finding]]
SILENT_WHEN_IDLE = ("AWS/SQS",)
"""A queue that nobody uses publishes nothing, here as in AWS."""
ONLY_ON_A_ROLLBACK = "OnRollback"
"""The rule that a quiet life never needs."""
TOLD_BY_A_RULE = "-rollback-"
"""Alarms whose change of state that rule takes to record_release, which tells people."""
DAILY = ("build_snapshot", "check_drift", "reconcile")


def check(outcome: Outcome) -> list[Finding]:
    """Every expectation of the scenario, in the order of the loop."""
    return [finding for expect in EXPECTATIONS for finding in _findings(expect, outcome)]


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
        yield Finding(
            f"{stack} is deployed",
            status.endswith("_COMPLETE") and "ROLLBACK" not in status,
            f"{status}: {reason}",
        )


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


def _first_model(outcome: Outcome) -> Iterator[Finding]:
    decision = outcome.first_training.get("decision", {})
    started = decision.get("verdict") == "start"
    yield Finding("a push starts the first training run", started, f"start_training: {decision}")
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
    answers = [*outcome.world.answers, *outcome.world.again]
    lost = [answer for answer in answers if not answer.predictions]
    where = f"{len(lost)} of {len(answers)} requests failed, the first: {lost[0].error}" if lost else ""
    yield Finding("every request is answered", not lost and bool(answers), where)
    parity = outcome.parity
    difference = (
        f"largest difference {parity.largest_difference:g} over {parity.rows} rows"
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
    sizes = [
        d["inputs"]["snapshot_rows"] for d in decided if d["kind"] == "training" and d["verdict"] == "start"
    ]
    grew = len(sizes) > 1 and all(a < b for a, b in pairwise(sizes))
    yield Finding(
        "each run trains on a larger snapshot", grew, f"rows of the snapshots that were trained: {sizes}"
    )


def _loop(outcome: Outcome) -> Iterator[Finding]:
    deployment, wanted = outcome.deployment, outcome.scenario.retrains
    alarm = f"{deployment.names.deployment}-loss"
    fired = [
        e
        for e in deployment.account.journal.of("alarm")
        if e.facts["alarm"] == alarm and e.facts["new"] == "ALARM"
    ]
    yield Finding(
        f"{alarm} fires",
        bool(fired),
        "; ".join(_silent_alarms(outcome)) or "its metric never passed the threshold",
    )
    decided = deployment.ledger_bodies("DECISION")
    retrains = [d for d in decided if d["kind"] == "retrain" and d["verdict"] == "start"]
    got = [
        f"{d['verdict']} ({d['rule']})" for d in decided if d["kind"] == "retrain"
    ] or "no decision; see OnDrift and its queue"
    yield Finding(
        f"an alarm starts at least {wanted} retrain", len(retrains) >= wanted, f"retrain decided: {got}"
    )
    runs = [run for run in deployment.ledger_bodies("RUN") if run["plan"]["cause"] == "alarm"]
    settled = [run for run in runs if run.get("outcome") == "Succeeded"]
    ended = f"runs by alarm: {[run['status'] for run in runs]}"
    yield Finding(
        "every run by an alarm ends and is settled", bool(runs) and len(settled) == len(runs), ended
    )
    live = [r for r in deployment.ledger_bodies("RELEASE") if r["outcome"] == "live"]
    passed = [d for d in decided if d["kind"] == "gate" and d["verdict"] == "passed"]
    verdicts = f"{len(passed)} models passed their gate, {len(live)} were released"
    yield Finding("every model that passes its gate is released", len(live) == len(passed) > 0, verdicts)
    gates = [d for d in decided if d["kind"] == "gate"]
    yield Finding(
        "every run is judged by the gate",
        len(gates) == len(deployment.ledger_bodies("RUN")),
        f"{len(gates)} judgements",
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
    yield from _coverage(outcome)


def _coverage(outcome: Outcome) -> Iterator[Finding]:
    deployment = outcome.deployment
    journal = deployment.account.journal
    prefix = f"{deployment.names.deployment}-"
    delivered = {e.facts["rule"] for e in journal.of("delivery") if e.facts["ok"]}
    rules = deployment.account.client("events").list_rules()["Rules"]
    ours = [rule for rule in rules if rule["Name"].startswith(prefix)]
    if outcome.pipeline is None:  # deployed directly, so no push waits for anything
        ours = [rule for rule in ours if "aws.codepipeline" not in rule.get("EventPattern", "")]
    if all(pushed.end != "rolled-back" for pushed in outcome.pushed):
        ours = [rule for rule in ours if ONLY_ON_A_ROLLBACK not in rule["Name"]]
    idle = sorted(rule["Name"] for rule in ours if rule["Name"] not in delivered)
    yield Finding("every rule delivered an event", not idle, f"never matched: {', '.join(idle)}")
    invoked = {e.facts["function"] for e in journal.of("invocation") if e.facts["ok"]}
    functions = deployment.account.client("lambda").list_functions()["Functions"]
    asleep = sorted({f["FunctionName"] for f in functions if f["FunctionName"].startswith(prefix)} - invoked)
    yield Finding("every function ran", not asleep, f"never ran: {', '.join(asleep)}")
    silent = _silent_alarms(outcome)
    yield Finding("every alarm saw its metric", not silent, "; ".join(silent))
    yield from _alarms_are_wired(outcome)
    yield from _schedules(outcome)


def _alarms_are_wired(outcome: Outcome) -> Iterator[Finding]:
    """What a quiet life does not show: whom an alarm tells, and which queue the idle ones watch."""
    account = outcome.deployment.account
    found = account.client("cloudwatch").describe_alarms(
        AlarmNamePrefix=f"{outcome.deployment.names.deployment}-"
    )
    urls = account.client("sqs").list_queues().get("QueueUrls", [])
    queues = {url.rsplit("/", 1)[1] for url in urls}
    alarms_ = [alarm for alarm in found["MetricAlarms"] if TOLD_BY_A_RULE not in alarm["AlarmName"]]
    mute = [alarm["AlarmName"] for alarm in alarms_ if not alarm["AlarmActions"]]
    yield Finding("every alarm tells somebody", not mute, f"no AlarmActions: {', '.join(mute)}")
    blind = [
        f"{alarm['AlarmName']} watches {alarm['Dimensions']}"
        for alarm in found["MetricAlarms"]
        if alarm["Namespace"] == "AWS/SQS" and not queues & {d["Value"] for d in alarm["Dimensions"]}
    ]
    yield Finding("every alarm on a queue names one that there is", not blind, "; ".join(blind))


def _schedules(outcome: Outcome) -> Iterator[Finding]:
    journal = outcome.deployment.account.journal
    fired = {e.facts["id"] for e in journal.of("event") if e.facts["detail_type"] == "Scheduled Event"}
    arrived = [
        e.facts["target"]
        for e in journal.of("delivery")
        if e.facts["ok"] and e.facts.get("event_id") in fired
    ]
    days = (outcome.scenario.end - outcome.scenario.start).days
    for handler in DAILY:
        function = outcome.deployment.names.function(handler)
        times = sum(target.endswith(f":{function}") for target in arrived)
        where = f"its schedule reached it {times} times in {days} days; see its rule and its permission"
        yield Finding(f"{function} runs every day", times >= days, where)


def _silent_alarms(outcome: Outcome) -> list[str]:
    return [
        f"{found['alarm']} saw no datapoint of {_metric(found['wanted'])}; "
        f"published: {'; '.join(_metric(near) for near in found['nearest']) or 'nothing of that name'}"
        for found in alarms.diagnose(outcome.deployment.account)
        if not found["datapoints"] and found["wanted"]["namespace"] not in SILENT_WHEN_IDLE
    ]


def _metric(described: dict[str, Any]) -> str:
    return f"{described['namespace']}/{described['name']} {described['dimensions']}"


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
    yield Finding(
        "no rule takes a neighbour's event",
        not through and kinds == set(NEAR_MISSES) - (set() if outcome.pipeline else {DELIVERY}),
        where or f"sent: {sorted(kinds)}",
    )


def _isolation(_: Outcome) -> Iterator[Finding]:
    ours = sorted(name for name in sys.modules if name.split(".")[0] in ("lambdas", "training"))
    yield Finding("no handler and no training code ran in this process", not ours, ", ".join(ours))


EXPECTATIONS: tuple[Expectation, ...] = (
    _to_the_end,
    _stacks,
    _pushes,
    _first_model,
    _serving,
    _data,
    _loop,
    _wiring,
    check_permissions,
    _neighbour,
    _isolation,
)

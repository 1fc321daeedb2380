"""Did every deployed part do its work: each rule, function, alarm and schedule?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from domain.counted import counted
from rehearsal.engine import alarms, dashboards
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.turn import Outcome

SILENT_WHEN_IDLE = ("AWS/SQS",)
"""A queue that nobody uses publishes nothing, here as in AWS."""
NOT_EMULATED = ("/aws/sagemaker/Endpoints",)
"""What the local account does not measure: how much of an instance is used."""
ONLY_WHEN_IT_HAPPENS = ("ExecutionFailed", "ExecutionStopped")
"""Counts that nobody publishes as long as there is nothing to count."""
DEPTH = "ApproximateNumberOfMessagesVisible"
"""What all alarms on queues watch."""
ONLY_ON_A_ROLLBACK = "OnRollback"
"""The rule that a quiet life never needs."""
TOLD_BY_A_RULE = "-rollback-"
"""Alarms whose change of state that rule takes to record_release, which tells people."""
DAILY = ("build_snapshot", "check_drift", "reconcile")


def every_part_worked(outcome: Outcome) -> Iterator[Finding]:
    deployment = outcome.deployment
    journal = deployment.account.journal
    prefix = f"{deployment.names.deployment}-"
    delivered = {e.facts["rule"] for e in journal.of("delivery") if e.facts["ok"]}
    rules = deployment.account.client("events").list_rules()["Rules"]
    due = [rule for rule in rules if rule["Name"].startswith(prefix)]
    if outcome.pipeline is None:  # deployed directly, so no push waits for anything
        due = [rule for rule in due if "aws.codepipeline" not in rule.get("EventPattern", "")]
    if all(pushed.end != "rolled-back" for pushed in outcome.pushed):
        due = [rule for rule in due if ONLY_ON_A_ROLLBACK not in rule["Name"]]
    if not outcome.scenario.expects_drift:
        due = [rule for rule in due if "OnDrift" not in rule["Name"]]
    idle = sorted(rule["Name"] for rule in due if rule["Name"] not in delivered)
    yield Finding("every rule delivered an event", not idle, f"never matched: {', '.join(idle)}")
    invoked = {e.facts["function"] for e in journal.of("invocation") if e.facts["ok"]}
    functions = deployment.account.client("lambda").list_functions()["Functions"]
    asleep = sorted({f["FunctionName"] for f in functions if f["FunctionName"].startswith(prefix)} - invoked)
    yield Finding("every function ran", not asleep, f"never ran: {', '.join(asleep)}")
    silent = silent_alarms(outcome)
    yield Finding("every alarm saw its metric", not silent, "; ".join(silent))
    yield from alarms_are_wired(outcome)
    yield from _dashboard(outcome)
    yield from _schedules(outcome)


def alarms_are_wired(outcome: Outcome) -> Iterator[Finding]:
    """What a quiet life does not show: whom an alarm tells, and which queue the idle ones watch."""
    account = outcome.deployment.account
    found = account.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{outcome.deployment.names.name}-")
    alarms_ = [alarm for alarm in found["MetricAlarms"] if TOLD_BY_A_RULE not in alarm["AlarmName"]]
    mute = [alarm["AlarmName"] for alarm in alarms_ if not alarm["AlarmActions"]]
    yield Finding("every alarm tells somebody", not mute, f"no AlarmActions: {', '.join(mute)}")
    urls = account.client("sqs").list_queues().get("QueueUrls", [])
    depths = [
        {"MetricName": DEPTH, "Dimensions": [{"Name": "QueueName", "Value": url.rsplit("/", 1)[1]}]}
        for url in urls
    ]
    blind = [
        f"{alarm['AlarmName']} watches {alarm['MetricName']} of {alarm['Dimensions']}"
        for alarm in found["MetricAlarms"]
        if alarm.get("Namespace") in SILENT_WHEN_IDLE
        and {key: alarm[key] for key in ("MetricName", "Dimensions")} not in depths
    ]
    yield Finding("every alarm on a queue watches one that there is", not blind, "; ".join(blind))


def _dashboard(outcome: Outcome) -> Iterator[Finding]:
    account, name = outcome.deployment.account, outcome.deployment.names.dashboard
    lines = dashboards.lines(account, name)
    empty = [f"{line.graph}: {line.what}" for line in lines if line.value is None and not _may_be_empty(line)]
    where = f"without data: {'; '.join(empty)}" if lines else "it has no graph"
    yield Finding("every line of the dashboard has data", bool(lines) and not empty, where)
    tables = dashboards.tables(account, name)
    lost = [title for title, table in tables.items() if not table.rows]
    where = f"found nothing: {'; '.join(lost)}" if tables else "it has no log query"
    yield Finding("every log query of the dashboard finds decisions", bool(tables) and not lost, where)


def _may_be_empty(line: dashboards.Line) -> bool:
    return line.namespace in (*SILENT_WHEN_IDLE, *NOT_EMULATED) or line.label in ONLY_WHEN_IT_HAPPENS


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
        often = f"{counted(times, 'time')} in {counted(days, 'day')}"
        where = f"its schedule reached it {often}; see its rule and its permission"
        yield Finding(f"{function} runs every day", times >= days, where)


def silent_alarms(outcome: Outcome) -> list[str]:
    return [
        f"{found['alarm']} saw no datapoint of {_metric(found['wanted'])}; "
        f"published: {'; '.join(_metric(near) for near in found['nearest']) or 'nothing of that name'}"
        for found in alarms.diagnose(outcome.deployment.account)
        if not found["datapoints"] and found["wanted"]["namespace"] not in SILENT_WHEN_IDLE
    ]


def _metric(described: dict[str, Any]) -> str:
    return f"{described['namespace']}/{described['name']} {described['dimensions']}"

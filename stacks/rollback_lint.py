"""Proof, from the templates alone, that each rollback alarm of an endpoint can fire while a release is watched.

An alarm that looks at the wrong thing stays green, and a bad release passes. Every rule says what is wrong and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from domain.names import BEFORE_PARAMETER
from stacks.template_values import Resource, Templates

Finding = tuple[str, str]
"""The logical id of the alarm or endpoint, and a sentence."""
FLEET = frozenset({"EndpointName", "VariantName", "EndpointConfigName"})
PUBLISHED: dict[tuple[str, str], tuple[str, tuple[frozenset[str], ...]]] = {
    ("AWS/SageMaker", "ModelLatency"): ("Microseconds", (FLEET,)),
    ("AWS/SageMaker", "Invocation5XXErrors"): ("None", (FLEET,)),
    ("Tideline", "PredictionSum"): ("None", (frozenset({"Endpoint", "Release"}),)),
    ("Tideline", "PredictionRows"): ("Count", (frozenset({"Endpoint", "Release"}),)),
}
"""What SageMaker and the server publish: the unit, and the sets of dimensions that there are."""
REPLACED = ("Release", f'<Ref "{BEFORE_PARAMETER}">')
"""The one other version that an alarm may look at, to compare with it."""
SHORTEST_LATENCY_US, LONGEST_LATENCY_US = 1_000, 60_000_000
"""A millisecond; and the longest that SageMaker waits for a container."""


@dataclass(frozen=True)
class Watched:
    """An endpoint, one of its rollback alarms, and all templates of the environment."""

    endpoint: Resource
    alarm: Resource
    templates: Templates

    @property
    def bake_seconds(self) -> int:
        """The shortest: after a step SageMaker waits for the one, after the last step for the other."""
        policy = self.endpoint.properties["DeploymentConfig"]["BlueGreenUpdatePolicy"]
        between = policy["TrafficRoutingConfiguration"]["WaitIntervalInSeconds"]
        return min(int(between), int(policy.get("TerminationWaitInSeconds", 0)))

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Each as {Namespace, MetricName, Dimensions, Period, Unit}."""
        if "Metrics" not in self.alarm.properties:
            return [dict(self.alarm.properties)]
        stats = [query["MetricStat"] for query in self.alarm.properties["Metrics"] if "MetricStat" in query]
        return [{**stat["Metric"], "Period": stat["Period"], "Unit": stat.get("Unit")} for stat in stats]

    @property
    def name(self) -> str:
        return str(self.alarm.properties["AlarmName"])


def findings(templates: Templates) -> Iterator[Finding]:
    """What speaks against the rollback alarms of every endpoint in these templates."""
    configs = templates.of_type("AWS::SageMaker::EndpointConfig")
    if any(
        "ServerlessConfig" in one for config in configs for one in config.properties["ProductionVariants"]
    ):
        return  # SageMaker has no guardrails for a serverless endpoint; an environment has one endpoint
    for endpoint in templates.of_type("AWS::SageMaker::Endpoint"):
        rollback = endpoint.properties.get("DeploymentConfig", {}).get("AutoRollbackConfiguration", {})
        if not rollback.get("Alarms"):
            yield endpoint.logical_id, "has no rollback alarm: without one a bake watches nothing"
        raw = endpoint.raw["Properties"].get("DeploymentConfig", {}).get("AutoRollbackConfiguration", {})
        for listed in raw.get("Alarms", []):
            alarm = _made_before(endpoint, listed["AlarmName"], templates)
            if alarm is None:
                yield (
                    endpoint.logical_id,
                    f"lists {listed['AlarmName']}: only a Ref to an alarm of this template under the "
                    "same condition is sure to exist before the endpoint changes",
                )
                continue
            watched = Watched(endpoint, alarm, templates)
            yield from ((alarm.logical_id, said) for rule in RULES for said in rule(watched))


def _made_before(endpoint: Resource, name: Any, templates: Templates) -> Resource | None:
    wanted = name.get("Ref") if isinstance(name, dict) else None
    for alarm in templates.of_type("AWS::CloudWatch::Alarm"):
        here = (alarm.logical_id, alarm.stack, alarm.raw.get("Condition"))
        if here == (wanted, endpoint.stack, endpoint.raw.get("Condition")):
            return alarm
    return None


def _metric_exists(watched: Watched) -> Iterator[str]:
    for metric in watched.metrics:
        key = (metric["Namespace"], metric["MetricName"])
        names = frozenset(d["Name"] for d in metric.get("Dimensions", []))
        if key not in PUBLISHED:
            yield f"watches {key[0]}/{key[1]}, which nobody publishes; there are: {sorted(PUBLISHED)}"
        elif names not in PUBLISHED[key][1]:
            allowed = [sorted(one) for one in PUBLISHED[key][1]]
            yield f"watches {key[1]} by {sorted(names)}; published are {allowed}"
        elif metric.get("Unit") not in (None, PUBLISHED[key][0]):
            yield f"asks for {key[1]} in {metric['Unit']}; it is published in {PUBLISHED[key][0]}"


def _new_fleet_alone(watched: Watched) -> Iterator[str]:
    [config] = watched.templates.of_type("AWS::SageMaker::EndpointConfig")
    [model] = watched.templates.of_type("AWS::SageMaker::Model")
    environment = model.properties["PrimaryContainer"]["Environment"]
    right = {
        "EndpointName": watched.endpoint.properties["EndpointName"],
        "VariantName": config.properties["ProductionVariants"][0]["VariantName"],
        "EndpointConfigName": watched.endpoint.properties["EndpointConfigName"],
        "Endpoint": environment.get("TIDELINE_ENDPOINT"),
        "Release": environment.get("TIDELINE_RELEASE"),
    }
    given = [(d["Name"], d["Value"]) for metric in watched.metrics for d in metric.get("Dimensions", [])]
    for name, value in given:
        if name in right and value != right[name] and (name, value) != REPLACED:
            yield f"watches {name} {value!r}; the new fleet's is {right[name]!r}"
    if not {(name, right[name]) for name in ("EndpointConfigName", "Release")} & set(given):
        yield "watches both fleets, so the old one would veto its replacement; add EndpointConfigName or Release"


def _threshold_in_unit(watched: Watched) -> Iterator[str]:
    threshold, name = watched.alarm.properties["Threshold"], watched.alarm.properties.get("MetricName")
    if name == "ModelLatency" and not SHORTEST_LATENCY_US <= threshold <= LONGEST_LATENCY_US:
        yield (
            f"fires above {threshold:g}: ModelLatency is in microseconds; "
            f"allowed are {SHORTEST_LATENCY_US:g} to {LONGEST_LATENCY_US:g}"
        )
    is_share = name == "Invocation5XXErrors" and watched.alarm.properties.get("Statistic") == "Average"
    if is_share and not 0 <= threshold < 1:
        yield f"fires above {threshold:g}: the average of 5xx is a share from 0 to 1"


def _in_time(watched: Watched) -> Iterator[str]:
    longest = max(metric["Period"] for metric in watched.metrics)
    seconds = longest * watched.alarm.properties["EvaluationPeriods"]
    if seconds > watched.bake_seconds / 2:
        yield f"looks at {seconds} s; allowed is half a bake of {watched.bake_seconds} s, so that it fires within it"


def _silence_is_green(watched: Watched) -> Iterator[str]:
    treated = watched.alarm.properties.get("TreatMissingData", "missing")
    if treated != "notBreaching":
        yield (
            f"treats missing data as {treated}; allowed: notBreaching. A bake without traffic is no fault of "
            "the release: record_release holds it"
        )


def _somebody_is_told(watched: Watched) -> Iterator[str]:
    if watched.alarm.properties.get("AlarmActions"):
        return
    for rule in watched.templates.of_type("AWS::Events::Rule"):
        pattern = rule.properties.get("EventPattern", {})
        if pattern.get("source") != ["aws.cloudwatch"]:
            continue
        states = pattern.get("detail", {}).get("state", {}).get("value", ["ALARM"])
        prefixes = [one["prefix"] for one in pattern.get("resources", []) if isinstance(one, dict)]
        takes_it = any(watched.name.startswith(_after(":alarm:", prefix)) for prefix in prefixes)
        if takes_it and "ALARM" in states and rule.properties.get("Targets"):
            return
    yield "tells nobody: it has no AlarmActions, and no rule takes its change of state"


def _caller_may_look(watched: Watched) -> Iterator[str]:
    callers = {
        role.logical_id
        for role in watched.templates.of_type("AWS::IAM::Role")
        if "cloudformation.amazonaws.com" in str(role.properties["AssumeRolePolicyDocument"])
    }
    for policy in watched.templates.of_type("AWS::IAM::Policy"):
        if callers & {
            role.get("Ref") for role in policy.raw["Properties"]["Roles"] if isinstance(role, dict)
        }:
            for statement in policy.properties["PolicyDocument"]["Statement"]:
                if _allows(statement, "cloudwatch:DescribeAlarms", watched.name):
                    return
    yield "cannot be read by the role that updates the endpoint: it lacks cloudwatch:DescribeAlarms on it"


def _allows(statement: dict[str, Any], action: str, alarm: str) -> bool:
    actions, resources = (
        value if isinstance(value, list) else [value]
        for value in (statement["Action"], statement["Resource"])
    )
    names = (re.escape(_after(":alarm:", resource)) for resource in resources)
    patterns = (name.replace(r"\*", ".*").replace(r"\?", ".") for name in names)
    return action in actions and any(re.fullmatch(pattern, alarm) for pattern in patterns)


def _after(mark: str, text: str) -> str:
    return text.partition(mark)[2] or text


RULES: tuple[Callable[[Watched], Iterator[str]], ...] = (
    _metric_exists,
    _new_fleet_alone,
    _threshold_in_unit,
    _in_time,
    _silence_is_green,
    _somebody_is_told,
    _caller_may_look,
)

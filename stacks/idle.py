"""The cost of a stage that stands still, counted from its own constructs and the price table."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from config.schema import PRICES, Config
from domain.idle_cost import IdleCost, Standing, idle_cost
from domain.instances import Candidate, Workload, choose
from domain.names import METRIC_UNITS, RELEASE_SLOTS
from domain.prices import parse_prices
from stacks.scaling import refuse_types

ALARMS_OF_A_POLICY = 2
"""Target tracking makes an alarm for more instances and one for fewer."""


def choose_serving_instance(config: Config) -> Candidate:
    """The type that `choose_instance` would put first for the endpoint; raises if none fits, before any deploy."""
    book = parse_prices((PRICES / f"{config.region}.csv").read_text(), config.region)
    serving = config.serving
    workload = Workload(
        serving.component,
        memory_gib=serving.memory_gib,
        vcpus=serving.vcpus,
        use_estimates=config.prices.estimates == "use",
    )
    choice = choose(book, workload)
    refuse_types(serving.scaling, list(choice.candidates[:RELEASE_SLOTS]))
    return choice.winner


def _billed(alarm: cloudwatch.CfnAlarm) -> int:
    """An alarm on an expression is billed by the metrics in it."""
    queries = Stack.of(alarm).resolve(alarm.metrics) or []
    return sum("metricStat" in query for query in queries) or 1


def idle_cost_of(scope: Construct, config: Config, instance: Candidate) -> IdleCost:
    constructs = scope.node.find_all()

    def count(kind: type) -> int:
        return sum(isinstance(construct, kind) for construct in constructs)

    serving = config.serving
    tracking = ALARMS_OF_A_POLICY * count(autoscaling.CfnScalingPolicy)
    return idle_cost(
        Standing(
            instance_usd_per_hour=instance.usd_per_hour,
            instance_count=serving.standing_instances,
            new_keys=count(kms.CfnKey),
            alarms=sum(_billed(one) for one in constructs if isinstance(one, cloudwatch.CfnAlarm)) + tracking,
            custom_metrics=len(METRIC_UNITS),
            dashboards=count(cloudwatch.CfnDashboard),
            polled_queues=count(lambda_.CfnEventSourceMapping),
            more_instances=serving.most_instances - serving.instance_count,
        )
    )

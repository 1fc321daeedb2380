"""An update of an endpoint takes virtual time: it shifts traffic, bakes, watches alarms, and goes back."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from threading import Event, Thread
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.engine import roles
from tests.engine.hosting_world import Hosting, hosting, processes
from tests.engine.sagemaker_world import world

__all__ = ["hosting", "world"]


def blue_green(
    kind: str, *, wait: int = 600, end: int = 600, size: Any = None, **more: Any
) -> dict[str, Any]:
    """A DeploymentConfig; `size` is (type, value) of the canary or the linear step."""
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": wait}
    if size:
        member = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}[kind]
        routing[member] = {"Type": size[0], "Value": size[1]}
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": end, **more}
    return {"BlueGreenUpdatePolicy": policy}


def watched(config: dict[str, Any], *alarms: str) -> dict[str, Any]:
    names = [{"AlarmName": name} for name in alarms]
    return {**config, "AutoRollbackConfiguration": {"Alarms": names}}


def errors_alarm(hosting: Hosting, name: str, endpoint: str, config: str | None = None) -> None:
    """Red when the endpoint, or only the fleet of one configuration, answered 5xx in the last minute."""
    dimensions = {"EndpointName": endpoint, "VariantName": "live"}
    dimensions |= {"EndpointConfigName": config} if config else {}
    metric_alarm(hosting, name, dimensions, MetricName="Invocation5XXErrors", Statistic="Sum", Threshold=0)


def metric_alarm(hosting: Hosting, name: str, dimensions: dict[str, str], **more: Any) -> None:
    hosting.world.account.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        **{"TreatMissingData": "notBreaching", **more},
    )


def release(hosting: Hosting, endpoint: str, config: str, deployment: Any = None, **more: Any) -> None:
    given = {"DeploymentConfig": deployment} if deployment else {}
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, **given, **more)
    hosting.world.account.pump()


def start(hosting: Hosting, name: str, *, count: int = 4, old: Any = None, new: Any = None) -> str:
    """An endpoint of `count` instances that answers "old", and a configuration that answers "new"."""
    variant = {"InitialInstanceCount": count}
    hosting.endpoint(name, environment={"ANSWER": "old", **(old or {})}, variant=variant)
    return hosting.config(f"{name}-2", environment={"ANSWER": "new", **(new or {})}, variant=variant)


def live(hosting: Hosting, **duration: float) -> None:
    account = hosting.world.account
    account.advance_to(account.clock.now() + timedelta(**duration))


def answers(hosting: Hosting, endpoint: str, count: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for _ in range(count):
        try:
            found[hosting.ask(endpoint)] += 1
        except ClientError:
            found["error"] += 1
    return found


def state(hosting: Hosting, endpoint: str) -> tuple[str, str]:
    described = hosting.describe(endpoint)
    return described["EndpointStatus"], described["EndpointConfigName"]


class Client(Thread):
    """Asks again and again over HTTP until it is told to finish."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.lost: list[str] = []
        self._sent = 0
        self._is_over = Event()
        self._runtime = boto3.client(
            "sagemaker-runtime",
            region_name="us-east-1",
            endpoint_url=url,
            config=Config(retries={"max_attempts": 0}),
        )

    def run(self) -> None:
        while not self._is_over.is_set():
            self._sent += 1
            try:
                self._runtime.invoke_endpoint(EndpointName="busy-road", Body="1", ContentType="text/csv")
            except Exception as error:
                self.lost.append(f"{type(error).__name__}: {error}")

    def finish(self) -> int:
        self._is_over.set()
        self.join()
        return self._sent


def test_a_canary_takes_the_share_of_its_whole_instances_and_then_all(hosting: Hosting) -> None:
    new = start(hosting, "shifting")
    release(hosting, "shifting", new, blue_green("CANARY", size=("CAPACITY_PERCENT", 30)))

    assert state(hosting, "shifting") == ("Updating", "shifting")
    assert answers(hosting, "shifting", 8) == {"old": 6, "new": 2}  # 30 % of 4 is one instance
    live(hosting, seconds=599)
    assert answers(hosting, "shifting", 8) == {"old": 6, "new": 2}
    live(hosting, seconds=1)
    assert answers(hosting, "shifting", 4) == {"new": 4}
    assert state(hosting, "shifting") == ("Updating", "shifting")
    assert processes(hosting, "shifting") == 2
    live(hosting, seconds=600)
    assert state(hosting, "shifting") == ("InService", new)
    assert processes(hosting, "shifting") == 1


def test_a_canary_of_an_odd_share_is_split_evenly_among_the_requests(hosting: Hosting) -> None:
    new = start(hosting, "evenly", count=3)
    release(hosting, "evenly", new, blue_green("CANARY", size=("INSTANCE_COUNT", 1)))

    assert [hosting.ask("evenly") for _ in range(6)] == ["old", "new", "old", "old", "new", "old"]
    live(hosting, minutes=20)


def test_a_linear_update_goes_step_by_step(hosting: Hosting) -> None:
    new = start(hosting, "stepping")
    release(hosting, "stepping", new, blue_green("LINEAR", wait=60, end=0, size=("INSTANCE_COUNT", 1)))

    shares = []
    for _ in range(3):
        shares.append(answers(hosting, "stepping", 4)["new"])
        live(hosting, minutes=1)
    assert shares == [1, 2, 3]
    assert state(hosting, "stepping") == ("InService", new)


def test_one_instance_goes_all_at_once_and_bakes(hosting: Hosting) -> None:
    new = start(hosting, "single", count=1)
    release(hosting, "single", new, blue_green("ALL_AT_ONCE", end=300))

    assert answers(hosting, "single", 2) == {"new": 2}
    assert state(hosting, "single") == ("Updating", "single")
    live(hosting, minutes=5)
    assert state(hosting, "single") == ("InService", new)


def test_a_bake_is_described_as_it_goes(hosting: Hosting) -> None:
    new = start(hosting, "told")
    began = hosting.world.account.clock.now()
    release(hosting, "told", new, blue_green("CANARY", size=("CAPACITY_PERCENT", 25)))

    summary = hosting.describe("told")["PendingDeploymentSummary"]
    (variant,) = summary["ProductionVariants"]
    assert (summary["EndpointConfigName"], summary["StartTime"]) == (new, began)
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 4)
    assert variant["VariantStatus"] == [
        {
            "Status": "Baking",
            "StatusMessage": "Baking for 600 seconds (WaitIntervalInSeconds) with traffic enabled on canary "
            "capacity of 1 instance(s).",
            "StartTime": began,
        }
    ]
    assert hosting.world.account.in_transition == {hosting.describe("told")["EndpointArn"]}
    live(hosting, minutes=20)
    assert "PendingDeploymentSummary" not in hosting.describe("told")
    assert not hosting.world.account.in_transition


def test_every_stage_of_a_deployment_is_an_event(hosting: Hosting) -> None:
    new = start(hosting, "heard")
    release(hosting, "heard", new, blue_green("CANARY", size=("CAPACITY_PERCENT", 25)))
    live(hosting, minutes=20)

    events = [
        event
        for event in hosting.world.events("SageMaker Endpoint Deployment State Change")
        if event["EndpointName"] == "heard"
    ]
    assert {event["EndpointStatus"] for event in events} == {"UPDATING"}
    assert {event["EndpointConfigName"] for event in events} == {"heard"}
    summaries = [event["PendingDeploymentSummary"] for event in events]
    assert {summary["EndpointConfigName"] for summary in summaries} == {new}
    variants = [summary["ProductionVariants"][0] for summary in summaries]
    stages = [
        (variant["VariantStatus"][0]["Status"], variant["CurrentInstanceCount"]) for variant in variants
    ]
    assert stages == [
        ("Creating", 0),
        ("ActivatingTraffic", 1),
        ("Baking", 1),
        ("ActivatingTraffic", 4),
        ("Baking", 4),
    ]
    states = [
        (event["EndpointStatus"], event["EndpointConfigName"])
        for event in hosting.world.events("SageMaker Endpoint State Change")
        if event["EndpointName"] == "heard"
    ]
    assert states == [("IN_SERVICE", "heard"), ("UPDATING", "heard"), ("IN_SERVICE", new)]


def test_an_alarm_of_the_new_fleet_sends_all_traffic_back(hosting: Hosting) -> None:
    new = start(hosting, "wrong", new={"FAIL": "1"})
    errors_alarm(hosting, "wrong-5xx", "wrong", new)
    policy = blue_green("CANARY", size=("CAPACITY_PERCENT", 50))
    release(hosting, "wrong", new, watched(policy, "wrong-5xx"))
    assert answers(hosting, "wrong", 4) == {"old": 2, "error": 2}
    live(hosting, minutes=2)

    described = hosting.describe("wrong")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "wrong")
    assert "in ALARM: wrong-5xx" in described["FailureReason"]
    assert answers(hosting, "wrong", 4) == {"old": 4}
    assert processes(hosting, "wrong") == 1


def test_a_slow_new_model_is_rolled_back_by_its_latency(hosting: Hosting) -> None:
    new = start(hosting, "slow", count=2, new={"SLOW": "0.1"})
    dimensions = {"EndpointName": "slow", "VariantName": "live", "EndpointConfigName": new}
    latency = {"MetricName": "ModelLatency", "ExtendedStatistic": "p90", "Threshold": 90_000}
    metric_alarm(hosting, "slow-p90", dimensions, Unit="Microseconds", **latency)
    policy = blue_green("CANARY", size=("INSTANCE_COUNT", 1))
    release(hosting, "slow", new, watched(policy, "slow-p90"))
    answers(hosting, "slow", 4)
    live(hosting, minutes=2)

    assert state(hosting, "slow") == ("InService", "slow")
    assert answers(hosting, "slow", 2) == {"old": 2}


def test_errors_of_the_old_fleet_do_not_stop_a_release_that_watches_the_new_one(hosting: Hosting) -> None:
    new = start(hosting, "mending", count=2, old={"FAIL": "1"})
    errors_alarm(hosting, "mending-5xx", "mending", new)
    policy = blue_green("CANARY", size=("INSTANCE_COUNT", 1))
    release(hosting, "mending", new, watched(policy, "mending-5xx"))
    for _ in range(20):
        answers(hosting, "mending", 2)
        live(hosting, minutes=1)

    assert state(hosting, "mending") == ("InService", new)


def test_errors_of_the_old_fleet_stop_a_release_that_watches_all_traffic(hosting: Hosting) -> None:
    new = start(hosting, "blind", count=2, old={"FAIL": "1"})
    errors_alarm(hosting, "blind-5xx", "blind")
    policy = blue_green("CANARY", size=("INSTANCE_COUNT", 1))
    release(hosting, "blind", new, watched(policy, "blind-5xx"))
    answers(hosting, "blind", 2)
    live(hosting, minutes=2)

    assert state(hosting, "blind") == ("InService", "blind")


def test_an_alarm_that_is_red_before_the_start_ends_the_deployment_without_any_traffic(
    hosting: Hosting,
) -> None:
    new = start(hosting, "red")
    errors_alarm(hosting, "red-5xx", "red", new)
    hosting.world.account.client("cloudwatch").set_alarm_state(
        AlarmName="red-5xx", StateValue="ALARM", StateReason="before"
    )
    policy = blue_green("CANARY", size=("CAPACITY_PERCENT", 25))
    release(hosting, "red", new, watched(policy, "red-5xx"))

    described = hosting.describe("red")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "red")
    assert "red-5xx" in described["FailureReason"]
    assert processes(hosting, "red") == 1


def test_an_alarm_that_does_not_exist_is_refused(hosting: Hosting) -> None:
    new = start(hosting, "alarmless")
    policy = watched(blue_green("ALL_AT_ONCE"), "no-such-alarm")
    with pytest.raises(ClientError, match="no-such-alarm"):
        release(hosting, "alarmless", new, policy)
    assert state(hosting, "alarmless") == ("InService", "alarmless")


def test_a_deployment_that_takes_too_long_is_rolled_back(hosting: Hosting) -> None:
    new = start(hosting, "late")
    size = ("CAPACITY_PERCENT", 25)
    policy = blue_green("CANARY", wait=500, end=500, size=size, MaximumExecutionTimeoutInSeconds=600)
    release(hosting, "late", new, policy)
    live(hosting, seconds=599)
    assert state(hosting, "late") == ("Updating", "late")
    live(hosting, seconds=1)

    assert state(hosting, "late") == ("InService", "late")
    assert "MaximumExecutionTimeoutInSeconds" in hosting.describe("late")["FailureReason"]


def test_during_a_bake_the_endpoint_can_neither_be_updated_nor_deleted(hosting: Hosting) -> None:
    new = start(hosting, "busy")
    release(hosting, "busy", new, blue_green("ALL_AT_ONCE"))
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        release(hosting, "busy", new)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        hosting.sagemaker.delete_endpoint(EndpointName="busy")
    live(hosting, minutes=10)
    hosting.sagemaker.delete_endpoint(EndpointName="busy")
    assert processes(hosting, "busy") == 0


@pytest.mark.parametrize(
    ("count", "policy", "message"),
    [
        (1, blue_green("CANARY", size=("CAPACITY_PERCENT", 10)), "is 1 of 1 instance"),
        (4, blue_green("CANARY", size=("CAPACITY_PERCENT", 60)), "allowed are 1 to 50 %"),
        (4, blue_green("CANARY", size=("INSTANCE_COUNT", 3)), "is 3 of 4 instance"),
        (4, blue_green("LINEAR", size=("CAPACITY_PERCENT", 5)), "allowed are 10 to 50 %"),
        (4, blue_green("CANARY"), "needs CanarySize"),
        (
            4,
            {
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
                    "WaitIntervalInSeconds": 0,
                }
            },
            "RollingUpdatePolicy: build it",
        ),
    ],
)
def test_a_policy_that_does_not_fit_the_fleet_is_refused(
    hosting: Hosting, count: int, policy: dict[str, Any], message: str
) -> None:
    name = f"unfit-{uuid5(NAMESPACE_URL, message).hex[:8]}"
    new = start(hosting, name, count=count)
    with pytest.raises(ClientError, match=message):
        release(hosting, name, new, policy)


def test_the_last_deployment_configuration_is_used_again_only_when_asked(hosting: Hosting) -> None:
    new = start(hosting, "again", count=1)
    release(hosting, "again", new, blue_green("ALL_AT_ONCE", end=60))
    live(hosting, minutes=1)
    release(hosting, "again", "again")
    assert state(hosting, "again") == ("InService", "again")
    release(hosting, "again", new, RetainDeploymentConfig=True)
    assert state(hosting, "again") == ("Updating", "again")
    live(hosting, minutes=1)
    assert state(hosting, "again") == ("InService", new)


def test_retained_properties_keep_the_instance_count(hosting: Hosting) -> None:
    hosting.endpoint("kept", variant={"InitialInstanceCount": 4})
    new = hosting.config("kept-2", variant={"InitialInstanceCount": 1})
    policy = blue_green("CANARY", end=0, size=("INSTANCE_COUNT", 1))
    release(hosting, "kept", new, policy, RetainAllVariantProperties=True)
    live(hosting, minutes=10)

    assert hosting.describe("kept")["ProductionVariants"][0]["CurrentInstanceCount"] == 4


def test_a_change_of_instance_type_is_refused_while_the_variant_scales(hosting: Hosting) -> None:
    hosting.endpoint("scaled")
    hosting.config("scaled-2")
    other = hosting.config("scaled-3", variant={"InstanceType": "ml.c7i.large"})
    scaling = hosting.world.account.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/scaled/variant/live",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    release(hosting, "scaled", "scaled-2")
    with pytest.raises(ClientError, match="must be deregistered as scalable targets"):
        release(hosting, "scaled", other)
    scaling.deregister_scalable_target(**target)
    release(hosting, "scaled", other)

    assert state(hosting, "scaled") == ("InService", other)


def test_an_update_is_refused_when_the_configuration_in_use_was_deleted(hosting: Hosting) -> None:
    new = start(hosting, "orphan", count=1)
    hosting.sagemaker.delete_endpoint_config(EndpointConfigName="orphan")
    with pytest.raises(ClientError, match=r"Could not find endpoint configuration .*/orphan"):
        release(hosting, "orphan", new)


def test_who_updates_needs_leave_to_describe_the_alarms(hosting: Hosting) -> None:
    new = start(hosting, "permitted", count=1)
    errors_alarm(hosting, "permitted-5xx", "permitted", new)
    world = hosting.world
    role = world.new_role("releaser", "lambda.amazonaws.com")
    sagemaker = roles.client(world.account, role, "lambda.amazonaws.com", "sagemaker")
    request = {
        "EndpointName": "permitted",
        "EndpointConfigName": new,
        "DeploymentConfig": watched(blue_green("ALL_AT_ONCE", end=0), "permitted-5xx"),
    }
    update = {"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [update]}
    put = world.account.client("iam").put_role_policy
    put(RoleName="releaser", PolicyName="all", PolicyDocument=json.dumps(policy))
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:DescribeAlarms"):
        sagemaker.update_endpoint(**request)
    policy["Statement"].append({**update, "Action": "cloudwatch:DescribeAlarms"})
    put(RoleName="releaser", PolicyName="all", PolicyDocument=json.dumps(policy))
    sagemaker.update_endpoint(**request)

    assert state(hosting, "permitted") == ("InService", new)


def test_no_request_is_lost_in_twenty_releases_and_five_rollbacks(hosting: Hosting) -> None:
    environment = {"SLOW": "0.005"}  # long enough to be under way when its fleet goes
    names = ["even", "odd"]
    hosting.endpoint("busy-road", environment=environment, variant={"InitialInstanceCount": 2})
    for name in names:
        hosting.config(name, environment=environment, variant={"InitialInstanceCount": 2})
    alarm = {"MetricName": "NobodyPublishesThis", "Statistic": "Sum", "Threshold": 0}
    metric_alarm(hosting, "road", {}, TreatMissingData="ignore", **alarm)
    policy = watched(blue_green("CANARY", wait=60, end=60, size=("INSTANCE_COUNT", 1)), "road")
    account, began = hosting.world.account, hosting.world.account.clock.now()
    clients = [Client(account.endpoint_url) for _ in range(2)]
    for client in clients:
        client.start()
    rolled_back = []
    for number in range(25):
        running = hosting.describe("busy-road")["EndpointConfigName"]
        wanted = names[0] if running != names[0] else names[1]
        release(hosting, "busy-road", wanted, policy)
        if number % 5 == 4:
            account.client("cloudwatch").set_alarm_state(
                AlarmName="road", StateValue="ALARM", StateReason="the test says so"
            )
        live(hosting, minutes=2)
        rolled_back.append(hosting.describe("busy-road")["EndpointConfigName"] == running)
        account.client("cloudwatch").set_alarm_state(
            AlarmName="road", StateValue="OK", StateReason="the test says so"
        )
    sent = sum(client.finish() for client in clients)
    live(hosting, minutes=1)

    assert sum(rolled_back) == 5
    assert [client.lost for client in clients] == [[], []]
    assert sent > 100
    minutes = int((account.clock.now() - began).total_seconds() // 60) + 1
    assert sum(hosting.metric("busy-road", "Invocations", "Sum", minutes=minutes)) == sent
    assert processes(hosting, "busy-road") == 1

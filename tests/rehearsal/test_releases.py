"""Releases that go back: a model that is good on paper and slow under load, and what CloudFormation makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import dropwhile, groupby
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from config.schema import load
from domain.releases import ReleaseRecord
from rehearsal.__main__ import SLOW_TO_IMPORT
from rehearsal.engine import Account, functions, warm_python
from rehearsal.engine.cloudformation import assembly as assembly_of
from rehearsal.engine.job_faults import Fault, Faults
from rehearsal.scenarios import bad_release, brought
from rehearsal.scenarios.dataset import hours
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.load import STANDARD, find
from rehearsal.scenarios.traffic import Answer, World
from rehearsal.scenarios.turn import live_schema
from tests.rehearsal.conftest import synthesised

pytestmark = pytest.mark.slow
MINUTE = timedelta(minutes=1)
FLIGHTS = find(STANDARD).file
SERVING_PARAMETERS = ("Release", "ReleaseBefore", "Scaling", "FewestInstances", "BootstrapVersion")


@pytest.fixture(scope="module")
def world(
    small: Path, assembly: Path, tables: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A deployment whose first model is live and is asked; its second one is trained, slow and in flight."""
    directory, start = tmp_path_factory.mktemp("releases"), FLIGHTS.start - timedelta(hours=2)
    with Account(start=start, directory=directory) as account:
        warm_python.start(account, SLOW_TO_IMPORT)
        functions.fork_workers(account)
        deployment = Deployment(account, load(small), assembly / "assembly-dev")
        deployment.deploy()
        deployment.upload_history([tables / name for name in FLIGHTS.table.history])
        digest = deployment.push_image()
        deployment.call("build_snapshot", {})
        bad_release.train(deployment, digest)
        schema = live_schema(deployment)
        assert schema is not None
        world = World(deployment, schema["features"], schema["target"])
        until = FLIGHTS.start + timedelta(hours=12)
        for hour in hours(tables, time=schema["time"], start=FLIGHTS.start, end=until):
            account.advance_to(max(hour.at, account.clock.now()))
            world.ask(hour)
        bad_release.train(deployment, bad_release.push_slow_model(deployment))
        yield world


def released(world: World) -> list[tuple[str, str]]:
    return [(one["release_id"], one["outcome"]) for one in world.deployment.ledger_bodies("RELEASE")]


def no_request_is_lost(world: World) -> bool:
    return len(world.again) > 0 and all(one.predictions for one in world.asked)


def test_releases_that_go_back(world: World) -> None:
    """One life, three releases of the same slow model: the deployment takes a quarter of a minute to come up."""
    deployment = world.deployment
    ended = bad_release.see_it_end(deployment)
    gates = [d["verdict"] for d in deployment.ledger_bodies("DECISION") if d["kind"] == "gate"]
    assert gates == ["passed", "passed"], [
        str(e.facts) for e in deployment.account.journal.of("job", "step")
    ][-3:]
    assert (ended.release_id, ended.outcome, ended.approval) == ("000002", "rolled-back", "Rejected")
    assert ended.stack_status == "UPDATE_ROLLBACK_COMPLETE"
    assert "-000001-" in bad_release.running_config(deployment)
    [reasons] = [d["reasons"] for d in deployment.ledger_bodies("DECISION") if d["verdict"] == "rolled-back"]
    assert "-000002-" in reasons[1]
    assert "-rollback-latency" in reasons[1]
    assert no_request_is_lost(world)

    deployment.account.endpoint_rollback_seen_as = "success"
    bad_release.approve(deployment, ended.package_arn)
    bad_release.see_it_end(deployment)
    assert released(world)[-2:] == [("000003", "rolled-back"), ("000004", "live")]
    assert "-000004-" in bad_release.running_config(deployment)
    assert no_request_is_lost(world)

    deployment.account.endpoint_rollback_seen_as = "failure"
    champion = deployment.ledger_bodies("CHAMPION")[0]["package_arn"]
    faster_again = slow_down_the_old_fleet(world)
    bad_release.approve(deployment, ended.package_arn)
    deployment.account.advance_to(deployment.account.clock.now() + timedelta(minutes=1))
    with pytest.raises(ClientError, match="UPDATE_IN_PROGRESS"):
        deploy_serving(deployment)
    training = deployment.names.stack("training")
    assert assembly_of.deploy(deployment.account, deployment.directory, only=[training]) == [training]
    bad_release.approve(deployment, champion)
    assert [one["package_arn"] for one in deployment.ledger_bodies("WAITING")] == [champion]
    ended = bad_release.see_it_end(deployment)
    assert (ended.release_id, ended.outcome) == ("000005", "rolled-back")
    assert ended.stack_status == "UPDATE_ROLLBACK_COMPLETE"
    assert ("continue-rollback", "old-release-serves") in decisions(world)
    assert ("skip", "already-live") in decisions(world)
    assert deployment.ledger_bodies("WAITING") == []
    assert no_request_is_lost(world)
    assert list(deployment.account.journal.of("dead-letter")) == []
    faster_again()


def test_of_two_instances_one_is_the_canary_and_what_predicts_otherwise_goes_back(
    world: World, small: Path, tmp_path: Path
) -> None:
    """The life from above goes on with a second instance; a version is approved while that is being deployed."""
    one = load(small)
    two = one.model_copy(update={"serving": one.serving.model_copy(update={"instance_count": 2})})
    deployment = replace(world.deployment, config=two, directory=synthesised(two, tmp_path) / "assembly-dev")
    account, old = deployment.account, deployment.ledger_bodies("CHAMPION")[0]["package_arn"]
    new = brought.bring(deployment, old, brought.as_it_is)
    approval, before, decided = account.clock.now() + MINUTE, len(world.again), len(decisions(world))
    account.wake_at(approval, "a person approves", lambda: bad_release.approve(deployment, new))
    deployment.deploy()
    ended = bad_release.see_it_end(deployment)
    assert (ended.package_arn, ended.outcome, ended.stack_status) == (new, "live", "UPDATE_COMPLETE")
    in_order = [("wait", "stack-busy"), ("release", "approved"), ("live", "endpoint-runs-it")]
    assert decisions(world)[decided:] == in_order
    answered = list(dropwhile(lambda models: new not in models, models_by_minute(world.again[before:])))
    bake = two.serving.release.bake_minutes
    assert answered[:bake] == [[old, new]] * bake
    assert answered[-bake:] == [[new, new]] * bake

    before, decided = len(world.again), len(decisions(world))
    for change in (brought.shifted, brought.squared):
        bad_release.approve(deployment, brought.bring(deployment, old, change))
        ended = bad_release.see_it_end(deployment)
        assert (ended.outcome, ended.stack_status) == ("rolled-back", "UPDATE_ROLLBACK_COMPLETE")
        why = [d["reasons"] for d in deployment.ledger_bodies("DECISION") if d["verdict"] == "rolled-back"]
        assert f"-{ended.release_id}-" in why[-1][1]
        assert "-rollback-shift" in why[-1][1]
    gone_back = [("release", "approved"), ("rolled-back", "endpoint-runs-another")]
    assert decisions(world)[decided:] == gone_back * 2
    answered = models_by_minute(world.again[before:])
    assert all(new in models for models in answered)
    assert answered[-1] == [new, new]

    decided = len(decisions(world))
    bad_release.reject(deployment, new)
    ended = bad_release.see_it_end(deployment)
    assert (ended.package_arn, ended.outcome, ended.approval) == (old, "live", "Approved")
    way_back = {("return", "serving-one-rejected"), ("release", "approved"), ("live", "endpoint-runs-it")}
    assert set(decisions(world)[decided:]) == way_back
    assert models_by_minute(world.again)[-1] == [old, old]
    assert no_request_is_lost(world)
    assert list(account.journal.of("dead-letter")) == []


def test_other_instance_types_take_an_endpoint_that_scales_out_of_scaling_and_back(
    world: World, small: Path, tmp_path: Path
) -> None:
    """The life goes on: a model that needs more memory than the type has; first without room for it, then with."""
    account, one = world.deployment.account, load(small)
    endpoint, larger = world.deployment.names.endpoint, one.serving.model_copy(update={"memory_gib": 12})
    changed = one.model_copy(update={"serving": larger})
    deployment = replace(
        world.deployment, config=changed, directory=synthesised(changed, tmp_path) / "assembly-dev"
    )
    deployment.deploy()
    old = deployment.ledger_bodies("CHAMPION")[0]
    new, before = brought.bring(deployment, old["package_arn"], brought.as_it_is), len(world.again)
    assert registered(deployment) == [(1, 4)]

    full = Faults((Fault("no-capacity", endpoint),), account.journal)
    account.faults, working = full, account.faults
    updates = len(list(account.journal.of("stack")))
    bad_release.approve(deployment, new)
    assert registered(deployment) == []
    ended = bad_release.see_it_end(deployment)
    account.faults = working
    assert (ended.outcome, ended.approval) == ("rolled-back", "Approved")
    assert [one["verdict"] for one in about_releases(world)[-4:]] == [
        "release",
        "stop-scaling",
        "rolled-back",
        "scale-again",
    ]
    assert f"-{old['release_id']}-" in bad_release.running_config(deployment)
    assert registered(deployment) == [(1, 4)]
    assert ended_updates(deployment, updates) == [
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_COMPLETE",
    ]

    scaled_out(deployment, 3)
    updates = len(list(account.journal.of("stack")))
    bad_release.approve(deployment, new)
    ended = bad_release.see_it_end(deployment)
    assert (ended.package_arn, ended.outcome, ended.stack_status) == (new, "live", "UPDATE_COMPLETE")
    assert ended_updates(deployment, updates) == ["UPDATE_COMPLETE", "UPDATE_COMPLETE"]
    types = ReleaseRecord.from_parameter(deployment.ledger_bodies("RELEASE")[-1]["parameter"]).instance_types
    assert (
        types
        != ReleaseRecord.from_parameter(deployment.ledger_bodies("RELEASE")[0]["parameter"]).instance_types
    )
    assert registered(deployment) == [(1, 4)]
    assert instances(deployment) == 3
    assert {one.model for one in world.again[before:]} == {old["package_arn"], new}
    assert models_by_minute(world.again)[-1] == [new, new]
    assert no_request_is_lost(world)
    assert list(account.journal.of("dead-letter")) == []
    assert list(account.journal.of("denied")) == []


def registered(deployment: Deployment) -> list[tuple[int, int]]:
    """The fewest and most instances of the endpoint, as Application Auto Scaling has them."""
    scaling = deployment.account.client("application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    return [(one["MinCapacity"], one["MaxCapacity"]) for one in targets]


def scaled_out(deployment: Deployment, count: int) -> None:
    """What Application Auto Scaling does when an instance is asked for too much."""
    deployment.account.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=deployment.names.endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "live", "DesiredInstanceCount": count}],
    )


def instances(deployment: Deployment) -> int:
    found = deployment.account.client("sagemaker").describe_endpoint(EndpointName=deployment.names.endpoint)
    return int(found["ProductionVariants"][0]["CurrentInstanceCount"])


def about_releases(world: World) -> list[dict[str, Any]]:
    return [one for one in world.deployment.ledger_bodies("DECISION") if one["kind"] == "release"]


def ended_updates(deployment: Deployment, since: int) -> list[str]:
    """How each update of Serving ended after so many lines of the journal."""
    stack, lines = deployment.names.stack("serving"), list(deployment.account.journal.of("stack"))[since:]
    ends = ("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
    return [
        one.facts["status"] for one in lines if one.facts["stack"] == stack and one.facts["status"] in ends
    ]


def models_by_minute(answers: list[Answer]) -> list[list[str]]:
    """The two models that answered in each minute."""
    return [sorted(one.model for one in minute) for _, minute in groupby(answers, key=lambda one: one.at)]


def slow_down_the_old_fleet(world: World) -> Callable[[], None]:
    """As by a noisy machine: its alarm is red too when CloudFormation wants to go back to it."""
    account, old = world.deployment.account, bad_release.running_config(world.deployment)
    endpoint = world.deployment.names.endpoint
    dimensions = {"EndpointName": endpoint, "VariantName": "live", "EndpointConfigName": old}
    datum = {
        "MetricName": "ModelLatency",
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Unit": "Microseconds",
        "Values": [9e6],
        "Counts": [1000.0],
    }

    def publish() -> None:
        if account.in_transition:
            now = account.clock.now()
            account.client("cloudwatch").put_metric_data(
                Namespace="AWS/SageMaker", MetricData=[{**datum, "Timestamp": now}]
            )

    account.on_advance.append(publish)
    return lambda: account.on_advance.remove(publish)


def deploy_serving(deployment: Deployment) -> None:
    """What `cdk deploy` of an unchanged Serving asks CloudFormation for."""
    kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in SERVING_PARAMETERS]
    deployment.account.client("cloudformation").update_stack(
        StackName=deployment.names.stack("serving"), UsePreviousTemplate=True, Parameters=kept
    )


def decisions(world: World) -> list[tuple[str, str]]:
    bodies = world.deployment.ledger_bodies("DECISION")
    return [(one["verdict"], one["rule"]) for one in bodies if one["kind"] == "release"]

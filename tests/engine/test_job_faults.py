"""What SageMaker lacks or takes away: refused, failed or begun anew, in AWS's words, and only where it was told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine.job_faults import Fault, FaultKind, Faults
from tests.engine.hosting_world import Hosting, hosting
from tests.engine.sagemaker_world import World, world

__all__ = ["hosting", "world"]

SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 900},
}


@pytest.fixture
def faulty(world: World) -> Iterator[World]:
    yield world
    world.account.faults = Faults((), world.account.journal)


def meet(world: World, kind: FaultKind, job: str, **often: int) -> None:
    world.account.faults = Faults((Fault(kind, job, **often),), world.account.journal)


def test_a_job_without_capacity_fails_with_its_reason_and_bills_nothing(faulty: World) -> None:
    meet(faulty, "no-capacity", "no-capacity")
    job = faulty.train("no-capacity")

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(
        "CapacityError: Unable to provision requested ML compute capacity."
    )
    assert "BillableTimeInSeconds" not in job
    assert faulty.train("capacity-again")["TrainingJobStatus"] == "Completed"


def test_a_processing_job_meets_it_too(faulty: World) -> None:
    meet(faulty, "no-capacity", "no-capacity-either")
    job = faulty.process("no-capacity-either")

    assert job["ProcessingJobStatus"] == "Failed"
    assert "ProcessingStartTime" not in job


def test_beyond_its_quota_a_job_is_refused_when_it_is_asked_for(faulty: World) -> None:
    meet(faulty, "quota", "too-many")
    with pytest.raises(ClientError) as caught:
        faulty.train("too-many")

    error = caught.value.response["Error"]
    assert error["Code"] == "ResourceLimitExceeded"
    assert "'ml.m5.large for training job usage' is 0 Instances" in error["Message"]
    assert faulty.train("too-many")["TrainingJobStatus"] == "Completed"  # no job had taken the name


def test_a_job_whose_spot_instance_is_taken_away_begins_anew_and_ends_later(faulty: World) -> None:
    began = faulty.account.clock.now()
    meet(faulty, "spot-interruption", "spot-once")
    job = faulty.train("spot-once", **SPOT)

    assert job["TrainingJobStatus"] == "Completed"
    assert job["TrainingEndTime"] - began == timedelta(seconds=600)


def test_a_spot_job_that_waits_too_long_is_stopped(faulty: World) -> None:
    meet(faulty, "spot-interruption", "spot-never", times=9)
    job = faulty.train("spot-never", **SPOT)

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert "BillableTimeInSeconds" not in job


def test_only_spot_jobs_are_interrupted(faulty: World) -> None:
    began = faulty.account.clock.now()
    meet(faulty, "spot-interruption", "on-demand")
    faulty.train("on-demand")

    assert faulty.account.clock.now() - began == timedelta(seconds=300)


def test_a_fault_lets_the_first_jobs_pass_and_is_journalled_when_it_is_met(faulty: World) -> None:
    meet(faulty, "no-capacity", "Train", skip=1, times=2)
    faults = faulty.account.faults
    asked = [faults.met("no-capacity", step="Train", job=f"job-{n}") for n in range(4)]

    assert asked == [False, True, True, False]
    assert not faults.met("quota", step="Train", job="job-1")
    assert [facts["job"] for facts in faulty.journal("fault")][-2:] == ["job-1", "job-2"]


def test_an_update_without_capacity_leaves_the_endpoint_as_it_was_and_says_why(
    faulty: World, hosting: Hosting
) -> None:
    hosting.endpoint("crowded")
    meet(faulty, "no-capacity", "crowded")
    hosting.sagemaker.update_endpoint(EndpointName="crowded", EndpointConfigName=hosting.config("roomier"))
    faulty.account.pump()

    found = hosting.describe("crowded")
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "crowded")
    assert "InsufficientInstanceCapacity" in found["FailureReason"]
    assert hosting.ask("crowded")

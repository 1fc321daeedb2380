"""CodePipeline as its documentation has it: stages, variables, conditions, approvals, modes, retry and rollback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.delivery_world import (
    Delivery,
    approval,
    build,
    only_if,
    world,
)
from tests.engine.runtime_world import World


@pytest.fixture
def delivery(tmp_path: Path) -> Iterator[Delivery]:
    with world(tmp_path / "account") as made:
        yield made


def test_a_push_goes_through_the_stages_in_order_and_hands_variables_on(delivery: Delivery) -> None:
    delivery.project("first", "export COLOUR=$(cat a.txt)", exports=("COLOUR",))
    delivery.project("second", 'test "$WANTED" = green', 'test -n "$RUN"')
    second = build("second", WANTED="#{one.COLOUR}", RUN="#{codepipeline.PipelineExecutionId}")
    delivery.pipeline(
        {"name": "One", "actions": [build("first", namespace="one")]}, {"name": "Two", "actions": [second]}
    )
    execution = delivery.start({"a.txt": "green"})
    assert delivery.status(execution) == "Succeeded"
    assert delivery.stages(execution) == {"Source": "Succeeded", "One": "Succeeded", "Two": "Succeeded"}


def test_a_command_that_fails_ends_the_push_and_is_named(delivery: Delivery) -> None:
    delivery.project("check", "echo before", "false", "touch never")
    delivery.pipeline(
        {"name": "Verify", "actions": [build("check")]}, {"name": "Deploy", "actions": [approval()]}
    )
    execution = delivery.start()
    assert delivery.status(execution) == "Failed"
    assert "Deploy" not in delivery.stages(execution)
    (built,) = delivery.built("check")
    assert (built["status"], built["failed"]) == ("FAILED", "false")
    (action,) = delivery.state("Verify")["actionStates"]
    assert "Error while executing command: false" in action["latestExecution"]["errorDetails"]["message"]


def test_a_command_that_is_not_run_here_is_said_and_is_not_what_makes_a_build_green(
    delivery: Delivery,
) -> None:
    delivery.project("check", "make slow", "true")
    delivery.pipeline({"name": "Verify", "actions": [build("check")]})
    delivery.start()
    (said,) = [e.facts for e in delivery.account.journal.of("not-run")]
    assert said == {"project": "check", "command": "make slow", "why": "it takes an hour"}
    assert "NOT RUN: make slow" in delivery.built("check")[0]["output"]


def test_a_build_past_its_time_limit_is_stopped(delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.engine.delivery.builds.DEFAULT_TIMEOUT_MINUTES", 0.01)
    delivery.project("slow", "sleep 60")
    delivery.pipeline({"name": "Verify", "actions": [build("slow")]})
    assert delivery.status(delivery.start()) == "Failed"
    assert delivery.built("slow")[0]["status"] == "TIMED_OUT"


def test_an_approval_waits_for_its_token_and_no_other(delivery: Delivery) -> None:
    delivery.pipeline({"name": "Wait", "actions": [approval()]})
    execution = delivery.start()
    assert delivery.status(execution) == "InProgress"
    assert delivery.state("Wait")["latestExecution"]["pipelineExecutionId"] == execution
    with pytest.raises(ClientError, match="InvalidApprovalToken"):
        delivery.account.client("codepipeline").put_approval_result(
            pipelineName="push",
            stageName="Wait",
            actionName="Ok",
            token="00000000-0000-4000-8000-000000000000",
            result={"status": "Approved", "summary": "x"},
        )
    delivery.answer("Wait")
    assert delivery.status(execution) == "Succeeded"


def test_a_rejected_approval_fails_the_push_with_its_summary(delivery: Delivery) -> None:
    delivery.pipeline({"name": "Wait", "actions": [approval()]})
    execution = delivery.start()
    delivery.answer("Wait", "Rejected")
    assert delivery.status(execution) == "Failed"
    (action,) = delivery.state("Wait")["actionStates"]
    assert "said so" in action["latestExecution"]["errorDetails"]["message"]


def test_an_approval_that_nobody_answers_fails_after_its_time(delivery: Delivery) -> None:
    delivery.pipeline({"name": "Wait", "actions": [approval(minutes=30)]})
    execution = delivery.start()
    delivery.account.advance_to(delivery.account.clock.now() + timedelta(minutes=29))
    assert delivery.status(execution) == "InProgress"
    delivery.account.advance_to(delivery.account.clock.now() + timedelta(minutes=2))
    assert delivery.status(execution) == "Failed"


@pytest.mark.parametrize(
    ("value", "result", "ended", "stage"),
    [
        ("yes", "SKIP", "Succeeded", "Succeeded"),
        ("no", "SKIP", "Succeeded", "Skipped"),
        ("no", "FAIL", "Failed", "Failed"),
    ],
)
def test_a_condition_lets_a_stage_in_skips_it_or_fails_it(
    delivery: Delivery, value: str, result: str, ended: str, stage: str
) -> None:
    delivery.project("first", f"export GO={value}", exports=("GO",))
    delivery.project("second", "true")
    condition = only_if("#{one.GO}", "yes", result)
    delivery.pipeline(
        {"name": "One", "actions": [build("first", namespace="one")]},
        {"name": "Two", "actions": [build("second")], "beforeEntry": condition},
    )
    execution = delivery.start()
    assert delivery.status(execution) == ended
    assert delivery.stages(execution)["Two"] == stage
    assert bool(delivery.built("second")) == (stage == "Succeeded")


def test_a_newer_push_supersedes_the_one_that_waits_before_a_stage(delivery: Delivery) -> None:
    delivery.pipeline({"name": "Wait", "actions": [approval()]})
    first, second, third = delivery.start(), delivery.start(), delivery.start()
    assert [delivery.status(one) for one in (first, second, third)] == [
        "InProgress",
        "Superseded",
        "InProgress",
    ]
    delivery.answer("Wait")
    assert delivery.status(first) == "Succeeded"
    assert delivery.state("Wait")["latestExecution"]["pipelineExecutionId"] == third


def test_queued_pushes_stand_in_line(delivery: Delivery) -> None:
    delivery.pipeline({"name": "Wait", "actions": [approval()]}, mode="QUEUED")
    executions = [delivery.start() for _ in range(3)]
    for execution in executions:
        assert delivery.state("Wait")["latestExecution"]["pipelineExecutionId"] == execution
        delivery.answer("Wait")
    assert {delivery.status(one) for one in executions} == {"Succeeded"}


def test_side_by_side_no_push_waits_for_another_or_supersedes_it(delivery: Delivery) -> None:
    delivery.pipeline({"name": "Wait", "actions": [approval()]}, mode="PARALLEL")
    first, second = delivery.start(), delivery.start()
    tokens = {}
    for execution in (second, first):
        assert delivery.status(execution) == "InProgress"
    (action,) = delivery.state("Wait")["actionStates"]
    tokens[second] = action["latestExecution"]["token"]
    delivery.answer("Wait", "Rejected")
    assert (delivery.status(first), delivery.status(second)) == ("InProgress", "Failed")
    delivery.account.advance_to(delivery.account.clock.now() + timedelta(minutes=61))
    assert delivery.status(first) == "Failed"


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"onFailure": {"result": "ROLLBACK"}}, "in PARALLEL mode cannot be rolled back"),
        ({"pipelineType": "V1"}, "PARALLEL needs a pipeline of type V2"),
    ],
)
def test_what_cannot_be_had_side_by_side_is_refused(
    delivery: Delivery, declared: dict[str, Any], said: str
) -> None:
    more = {key: value for key, value in declared.items() if key == "pipelineType"}
    stage = {key: value for key, value in declared.items() if key != "pipelineType"}
    with pytest.raises(ClientError, match=said):
        delivery.pipeline({"name": "Wait", "actions": [approval()], **stage}, mode="PARALLEL", **more)


def test_a_stage_that_is_retried_does_its_failed_actions_once_more(
    delivery: Delivery, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    delivery.project("good", "true")
    delivery.project("shaky", f"test -e {mark} || {{ touch {mark}; false; }}")
    again = {"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}}
    delivery.pipeline({"name": "Image", "actions": [build("good"), build("shaky")], "onFailure": again})
    assert delivery.status(delivery.start()) == "Succeeded"
    assert [b["status"] for b in delivery.built("shaky")] == ["FAILED", "SUCCEEDED"]
    assert len(delivery.built("good")) == 1


def test_a_stage_is_retried_once_and_then_fails(delivery: Delivery) -> None:
    delivery.project("bad", "false")
    delivery.pipeline({"name": "Image", "actions": [build("bad")], "onFailure": {"result": "RETRY"}})
    assert delivery.status(delivery.start()) == "Failed"
    assert len(delivery.built("bad")) == 2


def test_a_stage_that_rolls_back_runs_again_with_what_last_went_through_it(delivery: Delivery) -> None:
    delivery.project("deploy", "cat a.txt", "grep -q good a.txt")
    delivery.pipeline({"name": "Deploy", "actions": [build("deploy")], "onFailure": {"result": "ROLLBACK"}})
    good = delivery.start({"a.txt": "good"})
    bad = delivery.start({"a.txt": "bad"})
    assert (delivery.status(good), delivery.status(bad)) == ("Succeeded", "Failed")
    *_, last = delivery.built("deploy")
    assert last["status"] == "SUCCEEDED"
    assert last["output"].strip() == "good"
    summaries = delivery.account.client("codepipeline").list_pipeline_executions(pipelineName="push")
    newest = summaries["pipelineExecutionSummaries"][0]
    assert (newest["executionType"], newest["status"]) == ("ROLLBACK", "Succeeded")


def test_without_an_earlier_success_there_is_nothing_to_roll_back_to(delivery: Delivery) -> None:
    delivery.project("deploy", "false")
    delivery.pipeline({"name": "Deploy", "actions": [build("deploy")], "onFailure": {"result": "ROLLBACK"}})
    delivery.start()
    assert len(delivery.built("deploy")) == 1


def test_a_role_that_may_not_start_the_build_fails_the_action(delivery: Delivery) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    narrow = World(delivery.account).role(
        "narrow", trusts="codepipeline.amazonaws.com", statements=[statement]
    )
    delivery.roles["pipeline"] = narrow
    delivery.project("check", "true")
    delivery.pipeline({"name": "Verify", "actions": [build("check")]})
    assert delivery.status(delivery.start()) == "Failed"
    (action,) = delivery.state("Verify")["actionStates"]
    assert "codebuild:StartBuild" in action["latestExecution"]["errorDetails"]["message"]


def test_an_action_tells_its_start_and_its_end_to_the_event_bus(delivery: Delivery) -> None:
    delivery.pipeline({"name": "Wait", "actions": [approval()]})
    execution = delivery.start()
    events = [
        e.facts["detail"] for e in delivery.account.journal.of("event") if "Action" in e.facts["detail_type"]
    ]
    assert events[-1]["stage"] == "Wait"
    assert (events[-1]["execution-id"], events[-1]["state"]) == (execution, "STARTED")
    assert events[-1]["type"]["category"] == "Approval"


def test_what_is_not_built_stops_by_name(delivery: Delivery) -> None:
    with pytest.raises(ClientError, match="onSuccess is not built"):
        delivery.pipeline({"name": "Wait", "actions": [approval()], "onSuccess": only_if("a", "b")})
    with pytest.raises(ClientError, match="RetryStageExecution: not built"):
        delivery.account.client("codepipeline").retry_stage_execution(
            pipelineName="push",
            stageName="Wait",
            pipelineExecutionId="00000000-0000-4000-8000-000000000000",
            retryMode="ALL_ACTIONS",
        )

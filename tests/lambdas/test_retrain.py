import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from config.schema import Governor
from domain.decision import Decision
from domain.events import utc
from domain.settings import RetrainSettings
from domain.training_run import Plan, Request
from lambdas import retrain
from tests.lambdas.local import DEPLOYMENT, NOW, Local
from tests.lambdas.test_ledger import PLAN
from tests.lambdas.traffic import crown

INCIDENT = "tideline-dev-loss@2013-04-20T12:59:00Z"
SETTINGS = RetrainSettings(
    deployment=DEPLOYMENT,
    alarm_name="tideline-dev-loss",
    ledger_table="ledger",
    topic_arn="",
    start_training_function="tideline-dev-start-training",
    mode="on",
    cooldown_days=14.0,
    **Governor().model_dump(),
)


def alarm(at: str = "2013-04-20T12:59:00.000+0000", **changed: Any) -> dict[str, Any]:
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "time": "2013-04-20T12:59:00Z",
        "detail": {
            "alarmName": "tideline-dev-loss",
            "state": {"value": "ALARM", "reason": "1.5 > 1.2", "timestamp": at},
        },
        **changed,
    }


def batch(*bodies: object) -> dict[str, Any]:
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return {"Records": [{"messageId": f"m{i}", "body": text} for i, text in enumerate(texts)]}


def training(verdict: str, rule: str) -> Callable[..., dict[str, Any]]:
    answer = {"decision": Decision("training", verdict, rule, ("so it is",)).to_json(), "plan": None}
    return lambda **_: answer


def settled(local: Local, plan: Plan) -> None:
    """A run that was claimed now and ended."""
    local.ledger.claim(plan, now=NOW, budget_micro_usd=10**9)
    local.ledger.settle(plan.run_id, outcome="Succeeded", spent_micro_usd=0, now=NOW)


def red(local: Local, *, since: str, state: str = "ALARM") -> None:
    found = {"StateValue": state, "StateReason": "1.5 > 1.2", "StateUpdatedTimestamp": utc(since)}
    local.script("cloudwatch", describe_alarms=lambda **_: {"MetricAlarms": [found]})


LOOK = {"source": "aws.events", "detail-type": "Scheduled Event", "time": "2013-04-26T13:40:00Z"}
Deliver = Callable[..., list[str]]


@pytest.fixture
def deliver(local: Local) -> Deliver:
    local.functions["tideline-dev-start-training"] = training("start", "alarm")

    def delivered(*bodies: object, **changed: Any) -> list[str]:
        settings = replace(SETTINGS, topic_arn=local.topic_arn, **changed)
        answer = local.run(retrain, settings, batch(*(bodies or (alarm(),))))
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    return delivered


def test_an_alarm_asks_for_a_run_in_the_name_of_its_incident(local: Local, deliver: Deliver) -> None:
    assert deliver() == []
    assert local.invoked == [("tideline-dev-start-training", {"cause": "alarm", "incident": INCIDENT})]
    assert local.decisions("retrain") == [("start", "alarm")]
    assert local.messages() == []


def test_of_a_batch_only_the_bad_message_comes_again(local: Local, deliver: Deliver) -> None:
    wrong = alarm(source="aws.ec2")
    assert deliver("no JSON", alarm(), wrong) == ["m0", "m2"]
    assert len(local.invoked) == 1


def test_advice_is_given_once_however_often_the_message_comes(local: Local, deliver: Deliver) -> None:
    deliver(mode="advise")
    deliver(mode="advise")
    (message,) = local.messages()
    assert message == (
        "tideline-dev: advise (retraining-advise), the config says retraining: advise; a person decides. "
        "Alarm at 2013-04-20T12:59:00Z."
    )
    assert local.invoked == []


def test_advice_that_could_not_be_sent_is_sent_when_the_message_comes_again(
    local: Local, deliver: Deliver
) -> None:
    assert deliver(mode="advise") == []
    local.messages()
    topic, local.topic_arn = local.topic_arn, local.topic_arn + "-gone"
    later = alarm("2013-04-20T14:00:00Z")
    assert deliver(later, mode="advise") == ["m0"]
    local.topic_arn = topic
    assert deliver(later, mode="advise") == []
    assert len(local.messages()) == 1


def test_people_are_told_when_the_budget_refuses_what_the_alarm_asked_for(
    local: Local, deliver: Deliver
) -> None:
    local.functions["tideline-dev-start-training"] = training("skip", "over-budget")
    assert deliver() == []
    assert local.messages() == ["tideline-dev: skip (over-budget), so it is. Alarm at 2013-04-20T12:59:00Z."]


def test_a_run_that_could_not_be_started_is_tried_again_although_it_holds_the_lease(
    local: Local, deliver: Deliver
) -> None:
    run_id = Request("alarm", INCIDENT).run_id(DEPLOYMENT)

    def breaks(**_: Any) -> dict[str, Any]:
        plan = replace(PLAN, run_id=run_id, cause="alarm", incident=INCIDENT)
        assert local.ledger.claim(plan, now=NOW, budget_micro_usd=10**9)
        raise RuntimeError("start-training: ThrottlingException: slow down")

    local.functions["tideline-dev-start-training"] = breaks
    assert deliver() == ["m0"]
    local.functions["tideline-dev-start-training"] = training("start", "claimed-before")
    assert deliver() == []
    assert len(local.invoked) == 2
    assert local.messages() == []


def test_a_second_alarm_within_the_cooldown_is_suppressed_and_told(local: Local, deliver: Deliver) -> None:
    settled(local, replace(PLAN, cause="alarm"))
    local.at(NOW + timedelta(days=5))
    assert deliver(alarm("2013-04-25T13:00:00Z")) == []
    assert local.decisions("retrain") == [("suppress", "cooldown")]
    assert "cooling down until 2013-05-04T13:00:00Z" in local.messages()[0]
    assert local.invoked == []
    local.at(NOW + timedelta(days=15))
    deliver(alarm("2013-05-05T13:00:00Z"))
    assert len(local.invoked) == 1


def test_a_push_that_brought_no_new_model_cools_nothing_down(local: Local, deliver: Deliver) -> None:
    settled(local, PLAN)
    deliver()
    assert local.decisions("retrain") == [("start", "alarm")]


def test_an_alarm_that_stays_red_starts_a_run_on_the_first_look_after_the_cooldown(
    local: Local, deliver: Deliver
) -> None:
    settled(local, replace(PLAN, cause="alarm"))
    red(local, since="2013-04-25T13:00:00Z")
    for days in range(5, 16):
        local.at(NOW + timedelta(days=days))
        assert deliver(LOOK) == []
    assert local.decisions("retrain") == [("suppress", "cooldown"), ("start", "alarm")]
    assert local.ledger.decisions()[-1]["at"] == "2013-05-04T13:00:00Z"
    assert {payload["incident"] for _, payload in local.invoked} == {"tideline-dev-loss@2013-04-25T13:00:00Z"}


def test_an_alarm_that_its_own_run_did_not_cure_gets_another_run_after_the_cooldown(
    local: Local, deliver: Deliver
) -> None:
    run_id = Request("alarm", INCIDENT).run_id(DEPLOYMENT)
    settled(local, replace(PLAN, run_id=run_id, cause="alarm", incident=INCIDENT))
    red(local, since="2013-04-20T12:59:00Z")
    deliver(LOOK)
    assert local.invoked == []
    local.at(NOW + timedelta(days=14))
    deliver(LOOK)
    assert [payload["incident"] for _, payload in local.invoked] == [f"{INCIDENT}/2013-05-04"]


def test_after_useless_runs_a_red_alarm_starts_none_and_people_are_told_once(
    local: Local, deliver: Deliver
) -> None:
    for number in range(3):
        incident = f"{INCIDENT}/{number}"
        run_id = Request("alarm", incident if number else INCIDENT).run_id(DEPLOYMENT)
        plan = replace(PLAN, run_id=run_id, cause="alarm", incident=incident)
        assert local.ledger.claim(plan, now=NOW, budget_micro_usd=10**9)
        local.ledger.settle(run_id, outcome="Failed", gate="refused", spent_micro_usd=0, now=NOW)
    red(local, since="2013-04-20T12:59:00Z")
    told = []
    for days in (30, 31, 90):
        local.at(NOW + timedelta(days=days))
        assert deliver(LOOK) == []
        told += local.messages()
    assert local.decisions("retrain") == [("suppress", "breaker")]
    assert [("breaker" in message, "./tideline retrain" in message) for message in told] == [(True, True)]
    assert local.invoked == []


def test_an_alarm_on_few_new_rows_waits_for_more(local: Local, deliver: Deliver) -> None:
    local.ledger.claim(replace(PLAN, snapshot_rows=1000), now=NOW, budget_micro_usd=10**9)
    local.ledger.settle(PLAN.run_id, outcome="Succeeded", gate="passed", spent_micro_usd=0, now=NOW)
    local.ledger.set_latest_snapshot({"id": "s2", "rows": 1040})
    deliver()
    assert local.decisions("retrain") == [("suppress", "too-few-new-rows")]
    assert "40 rows since the last run; 100 are wanted" in local.messages()[0]
    local.ledger.set_latest_snapshot({"id": "s3", "rows": 1100})
    deliver(alarm("2013-04-21T12:59:00Z"))
    assert len(local.invoked) == 1


def test_a_look_at_an_alarm_that_is_not_red_does_nothing(local: Local, deliver: Deliver) -> None:
    red(local, since="2013-04-20T12:59:00Z", state="OK")
    assert deliver(LOOK) == []
    assert local.decisions("retrain") == []


def test_no_run_starts_while_the_newest_data_are_broken_and_people_hear_why(
    local: Local, deliver: Deliver
) -> None:
    crown(local)
    said = {"invalid": ["temp: 100.0% far out of range"], "broken": True, "labels": []}
    local.ledger.keep_watched("000001", {"day": "2013-04-18", **said})
    deliver()
    assert local.decisions("retrain") == [("suppress", "invalid-data")]
    assert "temp: 100.0% far out of range" in local.messages()[0]
    local.ledger.keep_watched("000001", {"day": "2013-04-19", "invalid": [], "broken": False, "labels": []})
    deliver(alarm(at="2013-05-20T12:59:00.000+0000"))
    assert local.decisions("retrain")[-1] != ("suppress", "invalid-data")


def test_a_run_in_flight_is_left_alone(local: Local, deliver: Deliver) -> None:
    local.ledger.claim(PLAN, now=NOW, budget_micro_usd=10**9)
    deliver()
    assert local.decisions("retrain") == [("suppress", "in-flight")]
    assert local.invoked == []


@pytest.mark.parametrize(
    ("mode", "paused", "rule"), [("off", False, "retraining-off"), ("on", True, "paused")]
)
def test_who_switched_it_off_is_obeyed(
    local: Local, deliver: Deliver, mode: str, paused: bool, rule: str
) -> None:
    local.pause(paused)
    deliver(mode=mode)
    assert local.decisions("retrain") == [("suppress", rule)]
    assert local.invoked == []


def test_the_next_alarm_is_an_incident_of_its_own(local: Local, deliver: Deliver) -> None:
    deliver(alarm(), alarm("2013-04-21T12:59:00Z"))
    assert [payload["incident"] for _, payload in local.invoked] == [
        INCIDENT,
        "tideline-dev-loss@2013-04-21T12:59:00Z",
    ]

"""The card of a model that passed its gate: written once, by the schema, and never a reason to hold up a run."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from rehearsal.engine.model_card_schema import SCHEMA
from tests.lambdas.local import ACCOUNT, DEPLOYMENT, Local
from tests.lambdas.settling_world import SETTINGS, Reconcile, Runs, report

CARD = f"{DEPLOYMENT}-7"


def content(runs: Runs) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(runs.cards[CARD]["Content"])
    jsonschema.validate(found, SCHEMA)
    return found


def test_a_package_gets_a_card_that_aws_takes(local: Local, runs: Runs, settled: Reconcile) -> None:
    settled()
    card = content(runs)
    assert runs.cards[CARD]["SecurityConfig"] == {"KmsKeyId": SETTINGS.kms_key_arn}
    assert runs.cards[CARD]["ModelCardStatus"] == "Approved"
    assert card["model_overview"]["model_creator"] == "the flights team"
    assert card["intended_uses"]["risk_rating"] == "Low"
    assert card["training_details"]["training_job_details"]["training_arn"].startswith(
        f"{ACCOUNT}:training-job/"
    )
    custom = card["additional_information"]["custom_details"]
    assert (custom["run"], custom["snapshot"], custom["commit"]) == ("run-1", "s-1", "c" * 40)
    assert float(custom["cost_usd"]) == local.ledger.runs()[0]["spent_micro_usd"] / 1e6 > 0


def test_the_card_has_the_metrics_with_their_intervals_and_the_bias(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    settled()
    [evaluation] = content(runs)["evaluation_details"]
    groups = {group["name"]: group["metric_data"] for group in evaluation["metric_groups"]}
    auc = {"name": "auc", "type": "number", "value": 0.75}
    assert groups["quality"] == [{**auc, "notes": "95% from 0.7 to 0.8, days resampled"}]
    assert groups["bias"] == [{"name": "post_training DI origin=LGA", "type": "number", "value": 0.9}]
    assert groups["slices"][0]["value"] == -0.1
    assert "2% better than the champion" in evaluation["evaluation_observation"]


def test_the_card_of_a_model_of_classes_has_its_metrics_too(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    body = json.loads(local.read("artefacts", "runs/run-1/report/report.json"))
    body["schema"]["task"] = "multiclass"
    body["multiclass_classification_metrics"] = {"macro_f1": {"value": 0.5}}
    body["intervals"] = {"macro_f1": [0.4, 0.6]}
    local.put_json("s3://artefacts/runs/run-1/report/report.json", body)
    settled()
    [evaluation] = content(runs)["evaluation_details"]
    groups = {group["name"]: group["metric_data"] for group in evaluation["metric_groups"]}
    assert [(one["name"], one["value"]) for one in groups["quality"]] == [("macro_f1", 0.5)]


def test_a_run_that_ends_twice_has_one_card_and_nobody_is_told(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    runs.cards[CARD] = {"Content": "of before"}
    assert settled() == ["run-1"]
    assert runs.cards[CARD] == {"Content": "of before"}
    assert local.messages() == []


@pytest.mark.parametrize("why", ["AccessDeniedException", "no report of the bias"])
def test_a_card_that_cannot_be_written_is_told_and_the_run_is_settled(
    local: Local, runs: Runs, settled: Reconcile, why: str
) -> None:
    if why.startswith("no"):
        local.s3.delete_object(Bucket="artefacts", Key="runs/run-1/report/bias.json")
    else:
        runs.card_error = why
    assert settled() == ["run-1"]
    (told,) = local.messages()
    assert f"no model card {CARD} could be written" in told


def test_a_run_without_a_package_has_no_card(local: Local, runs: Runs, settled: Reconcile) -> None:
    report(local, passed=False)
    runs.registers = False
    settled()
    assert runs.cards == {}


def test_texts_that_aws_would_refuse_as_too_long_are_cut(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    key = "s3://artefacts/runs/run-1/report/report.json"
    body = json.loads(local.read("artefacts", "runs/run-1/report/report.json"))
    body["gate"]["reason"], body["plan"]["incident"] = "r" * 3000, "i" * 3000
    body["importance"][0]["feature"] = "f" * 300
    local.put_json(key, body)
    settled()
    assert len(content(runs)["evaluation_details"][0]["evaluation_observation"]) == 2096

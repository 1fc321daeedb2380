"""The look before a deploy, against an account in moto and quotas of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws

from cli.__main__ import main
from cli.doctor import BOOTSTRAP_PARAMETER, examine
from cli.source import Aws
from config import kept_account
from config.scaling import Scaling
from config.schema import PRICES, ROOT, load
from domain.names import Names
from rehearsal.engine import Account

CONFIG = load(ROOT / "config" / "dev.yaml")


class Quotas:
    """Service Quotas as far as it is asked; moto has none of SageMaker's."""

    def __init__(self, applied: dict[str, float]) -> None:
        self.pages = {
            "list_aws_default_service_quotas": {"ml.c5.large for endpoint usage": 0.0},
            "list_service_quotas": applied,
        }

    def get_paginator(self, operation: str) -> Any:
        quotas = [{"QuotaName": name, "Value": value} for name, value in self.pages[operation].items()]

        class Pages:
            def paginate(self, ServiceCode: str) -> list[dict[str, Any]]:
                assert ServiceCode == "sagemaker"
                return [{"Quotas": quotas[:1]}, {"Quotas": quotas[1:]}]

        return Pages()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Clients of moto; what a test puts into the dictionary takes the place of one."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    fakes: dict[str, Any] = {"service-quotas": Quotas({})}
    real = Aws.client
    monkeypatch.setattr(Aws, "client", lambda self, service: fakes.get(service) or real(self, service))
    with mock_aws():
        yield fakes


def looked() -> dict[str, tuple[str, str]]:
    aws = Aws(Names(CONFIG.name, CONFIG.environment), CONFIG.region)
    return {one.check: (one.verdict, one.found) for one in examine(aws, CONFIG)}


def test_an_account_that_was_never_prepared_stops_with_the_command_that_prepares_it(
    account: dict[str, Any], capsys: Any
) -> None:
    assert main(["doctor"]) == 3
    assert "-> make bootstrap ARGS=aws://123456789012/us-east-1" in capsys.readouterr().out


def test_a_prepared_account_with_quotas_has_nothing_that_stops(account: dict[str, Any]) -> None:
    ssm = boto3.client("ssm", region_name="us-east-1")
    ssm.put_parameter(Name=BOOTSTRAP_PARAMETER, Value="30", Type="String", Overwrite=True)
    types = [line.split(",")[0] for line in (PRICES / "us-east-1.csv").read_text().splitlines()[2:]]
    usages = ("endpoint", "training job", "processing job")
    account["service-quotas"] = Quotas({f"{one} for {usage} usage": 2.0 for one in types for usage in usages})
    found = looked()
    of_the_account = [
        name for name in found if name.startswith("quota") or name in ("bootstrap", "credentials")
    ]
    assert {found[name][0] for name in of_the_account} == {"ok"}
    assert found["quota: Hosting"][1] == "ml.c5.large for endpoint usage: 2, needed 2"


def test_what_holds_for_the_account_goes_before_the_default_of_aws(account: dict[str, Any]) -> None:
    assert looked()["quota: Hosting"] == ("stop", "ml.c5.large for endpoint usage: 0, needed 2")
    account["service-quotas"] = Quotas({"ml.c5.large for endpoint usage": 4.0})
    assert looked()["quota: Hosting"] == ("ok", "ml.c5.large for endpoint usage: 4, needed 2")


@pytest.mark.parametrize(
    ("parameters", "verdict"),
    [
        ([{"ParameterKey": "HostingMode", "ParameterValue": "batch"}], "stop"),
        ([{"ParameterKey": "HostingMode", "ParameterValue": "realtime"}], "ok"),
        ([], "ok"),  # deployed before there were modes
    ],
)
def test_another_mode_than_the_one_that_is_live_stops(
    account: dict[str, Any], parameters: list[dict[str, str]], verdict: str
) -> None:
    class Stacks:
        def describe_stacks(self, StackName: str) -> dict[str, Any]:
            assert StackName == "tideline-dev-serving"
            return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": parameters}]}

    account["cloudformation"] = Stacks()
    assert looked()["serving.mode"][0] == verdict


def test_an_endpoint_that_scales_needs_a_quota_for_two_fleets_of_its_most_instances(
    account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    scaling = CONFIG.serving.model_copy(
        update={"scaling": Scaling(max_instances=5, invocations_per_instance=60)}
    )
    monkeypatch.setattr(f"{__name__}.CONFIG", CONFIG.model_copy(update={"serving": scaling}))
    account["service-quotas"] = Quotas({"ml.c5.large for endpoint usage": 4.0})
    assert looked()["quota: Hosting"] == ("stop", "ml.c5.large for endpoint usage: 4, needed 10")


def test_without_credentials_nothing_of_the_account_is_asked(account: dict[str, Any]) -> None:
    class Nobody:
        def get_caller_identity(self) -> None:
            raise NoCredentialsError

    account["sts"] = Nobody()
    found = looked()
    assert found["credentials"] == ("stop", "Unable to locate credentials")
    assert "bootstrap" not in found


def test_a_call_that_is_denied_is_worth_a_look_and_hides_no_other_check(account: dict[str, Any]) -> None:
    class Denied:
        def get_paginator(self, operation: str) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)

    account["service-quotas"] = Denied()
    found = looked()
    assert found["quotas"][0] == "look"
    assert found["bootstrap"][0] == "stop"


def test_an_address_of_this_deployment_that_has_not_confirmed_is_named(account: dict[str, Any]) -> None:
    class Subscriptions:
        def get_paginator(self, operation: str) -> Any:
            return self

        def paginate(self) -> list[dict[str, Any]]:
            waits = {
                "tideline-dev-x": "on-call",
                "other-tideline-dev-x": "stranger",
                "tideline-develop-x": "guest",
            }
            return [
                {
                    "Subscriptions": [
                        {
                            "SubscriptionArn": "PendingConfirmation",
                            "Endpoint": f"{name}@example.com",
                            "TopicArn": f"arn:aws:sns:us-east-1:123456789012:{topic}",
                        }
                        for topic, name in waits.items()
                    ]
                }
            ]

    account["sns"] = Subscriptions()
    assert looked()["people"] == ("look", "on-call@example.com has not confirmed the subscription")


def test_a_cli_of_another_version_stops(account: dict[str, Any], tmp_path: Path) -> None:
    for name in ("package.json", "requirements/lean.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    installed = tmp_path / "node_modules/aws-cdk/package.json"
    installed.parent.mkdir(parents=True)
    installed.write_text(json.dumps({"version": "2.1000.0"}))
    aws = Aws(Names(CONFIG.name, CONFIG.environment), CONFIG.region)
    [cli] = [one for one in examine(aws, CONFIG, tmp_path) if one.check == "CDK CLI"]
    assert cli.verdict == "stop"
    assert cli.found.startswith("2.1000.0, and 2.1148")


def test_in_an_account_that_a_rehearsal_left_up_the_quotas_are_those_that_hold_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Account(start=datetime(2026, 1, 1, tzinfo=UTC), directory=tmp_path) as account:
        for name, value in kept_account.environment(account.endpoint_url, account.region).items():
            monkeypatch.setenv(name, value)
        found = looked()
    assert found["quota: Hosting"] == ("ok", "ml.c5.large for endpoint usage: 100, needed 2")
    assert {found[f"quota: {job}"][0] for job in ("Training", "Processing")} == {"ok"}

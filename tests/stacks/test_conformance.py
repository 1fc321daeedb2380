"""Every rule on, over every environment: nothing is found that nobody explained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.schema import ROOT
from stacks.conformance import explained, flatten
from tests.stacks.synthesis import BROUGHT, DEV, PROD, read

IGNORED_BY_CFN_LINT = {"W3005"}
"""W3005: a DependsOn that a GetAtt already implies. The library writes it for every function's role; it is harmless."""
SHORTEST_REASON = 25


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("conformance")
    done = subprocess.run(
        [sys.executable, "-m", "tests.stacks.conformance_app", str(directory)],
        cwd=ROOT,
        env={**os.environ, "CDK_VALIDATION": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def packs(assembly: Path) -> dict[str, Any]:
    report = json.loads((assembly / "validation-report.json").read_text())
    return {pack["pluginName"]: pack for pack in report["pluginReports"]}


def test_no_rule_finds_anything_that_nobody_explained(packs: dict[str, Any]) -> None:
    assert {name: pack["violations"] for name, pack in packs.items()} == {
        "AwsSolutions": [],
        "Serverless": [],
    }
    assert {pack["conclusion"] for pack in packs.values()} == {"success"}


def test_every_finding_that_stands_has_a_reason_that_says_something(packs: dict[str, Any]) -> None:
    standing = [finding for pack in packs.values() for finding in pack["suppressedViolations"]]
    assert standing
    assert [f["acknowledgedId"] for f in standing if len(f["reason"]) < SHORTEST_REASON] == []


def test_a_finding_stands_only_on_the_construct_that_it_is_about(packs: dict[str, Any]) -> None:
    """An acknowledgement on a stack or the whole app would hide what is added later."""
    for pack in packs.values():
        for finding in pack["suppressedViolations"]:
            least = 1 if finding["acknowledgedAt"].startswith("Delivery/") else 2  # it is in no stage
            assert finding["acknowledgedAt"].count("/") >= least, finding["acknowledgedId"]


def test_only_these_kinds_of_findings_stand(packs: dict[str, Any]) -> None:
    """A new kind is a decision: it is made here, on purpose."""
    kinds = {f["ruleName"].split("[")[0] for pack in packs.values() for f in pack["suppressedViolations"]}
    assert kinds == {
        "AwsSolutions-IAM5",
        "AwsSolutions-L1",
        "AwsSolutions-SQS3",
        "Serverless-LambdaLatestVersion",
        "Serverless-LambdaEventSourceMappingDestination",
        "Serverless-SQSRedrivePolicy",
    }


def test_the_library_s_own_validator_fails_a_synth_on_an_error() -> None:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    assert context["@aws-cdk/core:validateAgainstDefaultRules"] is True


def test_cfn_lint_finds_nothing_in_any_template(assembly: Path) -> None:
    templates = sorted(str(path) for path in assembly.glob("assembly-*/*.template.json"))
    assert len(templates) == sum(len(read(config, assembly).templates) for config in (DEV, PROD, BROUGHT))
    templates.append(str(assembly / "Delivery.template.json"))
    command = [
        str(Path(sys.executable).with_name("cfn-lint")),
        "--ignore-checks",
        *sorted(IGNORED_BY_CFN_LINT),
        "--template",
        *templates,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def statement(resource: Any, *actions: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:s3:::bucket/*",
        "arn:aws:s3:::bucket/other/*",
        "arn:aws:sagemaker:us-east-1:<AWS::AccountId>:training-job/*",
        "arn:aws:sagemaker:*:<AWS::AccountId>:pipeline/tideline-dev-train/execution/*",
        "arn:aws:ssm:us-east-1:<AWS::AccountId>:parameter/*",
        "arn:aws:cloudformation:us-east-1:<AWS::AccountId>:stack/*",
        "arn:aws:cloudformation:us-east-1:<AWS::AccountId>:stack/tideline-dev-storage/*",
    ],
)
def test_a_wildcard_that_is_wider_than_its_explanation_is_not_explained(resource: str) -> None:
    assert list(explained(statement(resource, "s3:GetObject"))) == []


def test_every_resource_is_explained_for_actions_without_resources_alone() -> None:
    ((resource, reason),) = explained(statement("*", "ecr:GetAuthorizationToken"))
    assert (resource, reason) == ("*", "IAM knows no resource for ecr:GetAuthorizationToken.")
    assert list(explained(statement("*", "ecr:GetAuthorizationToken", "s3:GetObject"))) == []


def test_a_resource_is_spelled_as_the_rules_spell_it() -> None:
    imported = {
        "Fn::Join": [
            "",
            [{"Fn::ImportValue": "a:Export"}, "/runs/", {"Ref": "B"}, {"Fn::GetAtt": ["C", "Arn"]}],
        ]
    }
    assert flatten(imported) == "a:Export/runs/<B><C.Arn>"
    with pytest.raises(ValueError, match="allowed: text, Join"):
        flatten({"Fn::Select": [0, ["x"]]})

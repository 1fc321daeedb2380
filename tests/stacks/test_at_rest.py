"""What lies somewhere: encrypted under the deployment's key, closed to the public, kept, and gone when it may go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stacks.synthesis import Deployment, Resource, listed

KEPT = {
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::ECR::Repository",
    "AWS::SageMaker::ModelPackageGroup",
}


def key_of(resource: Resource) -> Any:
    """Under which key a resource lies, by its type."""
    p = resource.properties
    match resource.kind:
        case "AWS::S3::Bucket":
            (rule,) = p["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            return rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID", "managed by S3")
        case "AWS::DynamoDB::Table":
            return p["SSESpecification"]["KMSMasterKeyId"]
        case "AWS::ECR::Repository":
            return p["EncryptionConfiguration"]["KmsKey"]
        case "AWS::Lambda::Function":
            return p["KmsKeyArn"]
        case "AWS::SQS::Queue" | "AWS::SNS::Topic":
            return p["KmsMasterKeyId"]
        case "AWS::Logs::LogGroup" | "AWS::SageMaker::EndpointConfig":
            return p["KmsKeyId"]
    return None


def deployment_key(deployment: Deployment) -> str:
    brought = deployment.config.bring.kms_key_arn
    return brought or deployment.resolve(
        "storage", {"Fn::GetAtt": [deployment.one("AWS::KMS::Key", "Key").logical_id, "Arn"]}
    )


def test_everything_that_can_lie_under_a_key_lies_under_the_deployment_s(deployment: Deployment) -> None:
    keys = {r.logical_id: key_of(r) for r in deployment.resources if key_of(r) is not None}
    (access_logs,) = (name for name in keys if name.startswith("AccessLogs"))
    assert keys.pop(access_logs) == "managed by S3"  # S3 delivers access logs under its own key only
    assert len(keys) > 25
    assert set(keys.values()) == {deployment_key(deployment)}


def test_captured_requests_lie_under_the_key_too(dev: Deployment) -> None:
    capture = dev.one("AWS::SageMaker::EndpointConfig").properties["DataCaptureConfig"]
    assert capture["KmsKeyId"] == deployment_key(dev)


def test_a_new_key_rotates_and_has_an_alias(dev: Deployment) -> None:
    assert dev.one("AWS::KMS::Key", "Key").properties["EnableKeyRotation"] is True
    assert dev.one("AWS::KMS::Alias", "Key").properties["AliasName"] == "alias/tideline-dev"


def test_a_brought_key_gets_no_alias_and_no_policy_of_ours(brought: Deployment) -> None:
    own = [r.logical_id for r in brought.resources if r.kind.startswith("AWS::KMS::")]
    assert {name[: len("SigningKey")] for name in own} == {"SigningKey"}


def test_no_other_role_signs_whatever_its_own_policies_say(dev: Deployment) -> None:
    """The role of the function that signs, which may write no artefact."""
    key, signer = dev.one("AWS::KMS::Key", "SigningKey").properties, "tideline-dev-sign-model"
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    _root, denied = key["KeyPolicy"]["Statement"]
    assert (denied["Effect"], denied["Action"], denied["Principal"]) == ("Deny", "kms:Sign", {"AWS": "*"})
    role = f"arn:aws:iam::123456789012:role/{signer}"
    assert denied["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": role}}
    assert dev.function("sign_model").properties["Role"] == role
    allowed = {action for s in dev.policies_of(signer) for action in listed(s["Action"])}
    assert "kms:Sign" in allowed
    assert {one for one in allowed if one.startswith("s3:")} == {"s3:GetObject"}
    others = [s for p in dev.of_type("AWS::IAM::Policy") for s in p.properties["PolicyDocument"]["Statement"]]
    assert sum("kms:Sign" in listed(s["Action"]) for s in others) == 1


def test_only_the_account_and_three_services_may_use_the_key(dev: Deployment) -> None:
    root, *services = dev.one("AWS::KMS::Key", "Key").properties["KeyPolicy"]["Statement"]
    assert root["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    granted = {name: s for s in services for name in listed(s["Principal"]["Service"])}
    ours = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    groups = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/tideline-dev-*"
    assert {name: s["Condition"] for name, s in granted.items()} == {
        "cloudwatch.amazonaws.com": ours,
        "events.amazonaws.com": ours,
        "logs.us-east-1.amazonaws.com": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
    }
    for name in ("cloudwatch.amazonaws.com", "events.amazonaws.com"):
        assert granted[name]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_no_bucket_can_be_public(deployment: Deployment) -> None:
    for bucket in deployment.of_type("AWS::S3::Bucket"):
        assert set(bucket.properties["PublicAccessBlockConfiguration"].values()) == {True}, bucket.logical_id


@pytest.mark.parametrize("kind", ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"])
def test_every_bucket_queue_and_topic_refuses_requests_without_tls(deployment: Deployment, kind: str) -> None:
    owner = kind.removesuffix("Policy")
    policies = deployment.of_type(kind)
    assert len(policies) == len(deployment.of_type(owner))
    for policy in policies:
        statements = policy.properties["PolicyDocument"]["Statement"]
        denied = [s for s in statements if s["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [s["Condition"] for s in denied], (
            policy.logical_id
        )


def test_buckets_want_tls_1_2(deployment: Deployment) -> None:
    for policy in deployment.of_type("AWS::S3::BucketPolicy"):
        conditions = [s.get("Condition") for s in policy.properties["PolicyDocument"]["Statement"]]
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in conditions, policy.logical_id


def test_no_resource_policy_lets_a_stranger_in(deployment: Deployment) -> None:
    """Allowed are AWS services alone, each bound to this account or to one source."""
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for policy in deployment.of_type(kind):
            for s in policy.properties["PolicyDocument"]["Statement"]:
                if s["Effect"] == "Allow":
                    assert list(s["Principal"]) == ["Service"], policy.logical_id
                    bounds = {key for condition in s["Condition"].values() for key in condition}
                    assert bounds & {"aws:SourceAccount", "aws:SourceArn"}, policy.logical_id


def test_every_new_bucket_keeps_versions_and_says_who_came(deployment: Deployment) -> None:
    for bucket in deployment.of_type("AWS::S3::Bucket"):
        assert bucket.properties["VersioningConfiguration"] == {"Status": "Enabled"}, bucket.logical_id
        if not bucket.logical_id.startswith("AccessLogs"):
            assert bucket.properties["LoggingConfiguration"]["LogFilePrefix"], bucket.logical_id


def test_old_versions_broken_uploads_captures_and_access_logs_go(dev: Deployment) -> None:
    rules = {
        bucket.logical_id[:-8]: bucket.properties["LifecycleConfiguration"]["Rules"]
        for bucket in dev.of_type("AWS::S3::Bucket")
    }
    assert all(rule[0]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90 for rule in rules.values())
    assert all(
        rule[0]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7 for rule in rules.values()
    )
    expiring = {
        name: rule[0]["ExpirationInDays"] for name, rule in rules.items() if "ExpirationInDays" in rule[0]
    }
    assert expiring == {"AccessLogs": 90, "Capture": 90}


def test_what_holds_data_survives_its_stack(deployment: Deployment) -> None:
    for r in deployment.resources:
        if r.kind in KEPT:
            assert (r.raw["DeletionPolicy"], r.raw["UpdateReplacePolicy"]) == ("Retain", "Retain"), (
                r.logical_id
            )


def test_what_holds_data_lies_in_storage_alone(deployment: Deployment) -> None:
    assert {r.part for r in deployment.resources if r.kind in KEPT} == {"storage"}


def test_storage_cannot_be_deleted_by_accident(dev: Deployment) -> None:
    manifest = json.loads((dev.directory / "assembly-dev" / "manifest.json").read_text())
    protected = {
        artifact["properties"]["stackName"]
        for artifact in manifest["artifacts"].values()
        if artifact.get("properties", {}).get("terminationProtection")
    }
    assert protected == {"tideline-dev-storage"}


def test_the_ledger_cannot_be_lost(dev: Deployment) -> None:
    ledger = dev.one("AWS::DynamoDB::Table").properties
    assert ledger["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert ledger["DeletionProtectionEnabled"] is True


def test_an_image_is_scanned_and_its_tag_never_moves(dev: Deployment) -> None:
    images = dev.one("AWS::ECR::Repository").properties
    assert images["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert images["ImageTagMutability"] == "IMMUTABLE"


def test_a_brought_bucket_is_used_and_not_made(brought: Deployment) -> None:
    assert not [b for b in brought.of_type("AWS::S3::Bucket") if b.logical_id.startswith("Data")]
    variables = brought.function("start_training").properties["Environment"]["Variables"]
    assert variables["DATA_BUCKET"] == "a-bucket-that-exists"

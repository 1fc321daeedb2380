"""What the templates promise of data, queues, functions and fleets, a line each: read it beside README's "Security"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config.schema import Config
from domain.names import VARIANT, Prefix
from domain.traffic_shift import ShiftPlan
from rehearsal.engine.cloudformation.deployed import Resource
from rehearsal.scenarios.promises.deployed import Deployed, shift_of

FOURTEEN_DAYS_SECONDS = 14 * 86_400
DEFAULT = "AWS::S3::Bucket BucketEncryption.ServerSideEncryptionConfiguration.0.ServerSideEncryptionByDefault"
RULE = "AWS::S3::Bucket LifecycleConfiguration.Rules"
LOGGED, PRIVATE = "AWS::S3::Bucket LoggingConfiguration", "AWS::S3::Bucket PublicAccessBlockConfiguration"
BLOCKED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
STATEFUL = ("S3::Bucket", "DynamoDB::Table", "KMS::Key", "ECR::Repository", "SageMaker::ModelPackageGroup")
LONG = ("BuildSnapshot", "CheckDrift", "BatchRecordTransform")
"""Functions that read files for minutes."""
HASHES = ("ReleaseModel", "SignModel")
"""Functions that hash an artefact, the faster the more memory they have."""
WAITS = ("BatchStartTransform",)
"""It waits for one that reads files."""
LOGS_OF_REQUESTS = ("AccessLogs",)
PASSING = ("AccessLogs", "Capture", "BuildArtefacts")
"""Buckets in which nothing stays for good."""
Value = Callable[[Deployed, Resource], Any]


@dataclass(frozen=True)
class Promise:
    """Of each resource of a type, but for some, a property's value. `what` is "<type> <path>"."""

    what: str
    value: Any
    """What must stand there; a function of the deployment; PRESENT for anything, ABSENT for nothing."""
    only: tuple[str, ...] = ()
    """Beginnings of logical ids; all if there are none."""
    but: tuple[str, ...] = ()

    def concerns(self, resource: Resource) -> bool:
        name = resource.logical_id
        return resource.type == self.what.split()[0] and (
            (not self.only or name.startswith(self.only)) and not (self.but and name.startswith(self.but))
        )


PRESENT, ABSENT, OWN_KEY = object(), object(), object()


def broken(deployed: Deployed) -> Iterator[str]:
    own = keys(deployed)
    for promise in (*OF_DATA, *OF_WORK, *_of_a_fleet(deployed.config), *OF_DELIVERY):
        for resource in filter(promise.concerns, deployed.resources):
            path = promise.what.split()[1]
            found = at({**resource.properties, **resource.policies}, path)
            wanted = promise.value(deployed, resource) if callable(promise.value) else promise.value
            if not holds(found, wanted, own):
                yield f"{resource.stack} {resource.logical_id}: {path} is {shown(found)}, not {shown(wanted)}"
    yield from _unwatched(deployed)


def at(properties: Any, path: str) -> Any:
    """What stands at a path with dots; ABSENT if nothing does."""
    for part in path.split("."):
        if isinstance(properties, Mapping) and part in properties:
            properties = properties[part]
        elif isinstance(properties, list) and part.isdigit() and int(part) < len(properties):
            properties = properties[int(part)]
        else:
            return ABSENT
    return properties


def holds(found: Any, wanted: Any, keys: set[str]) -> bool:
    if wanted is PRESENT or wanted is ABSENT:
        return (found is ABSENT) == (wanted is ABSENT)
    if wanted is OWN_KEY:
        return found in keys
    return str(found).lower() == str(wanted).lower()


def shown(value: Any) -> str:
    named = {id(PRESENT): "there", id(ABSENT): "missing", id(OWN_KEY): "a key of this deployment"}
    return named.get(id(value), repr(value))


def keys(deployed: Deployed) -> set[str]:
    brought = deployed.config.bring.kms_key_arn
    here = f"arn:aws:kms:{deployed.account.region}:{deployed.account.id}:key/"
    made = {one.id for one in deployed.of_type("AWS::KMS::Key")}
    return made | {f"{here}{key}" for key in made} | ({brought} if brought else set())


def _unwatched(deployed: Deployed) -> Iterator[str]:
    """A queue of dead letters of which no alarm tells."""
    alarms = deployed.of_type("AWS::CloudWatch::Alarm")
    watched = {dimension["Value"] for one in alarms for dimension in one.properties.get("Dimensions", [])}
    for queue in deployed.of_type("AWS::SQS::Queue"):
        if "DeadLetters" in queue.logical_id and queue.id.rpartition("/")[2] not in watched:
            yield f"no alarm watches {queue.logical_id}"


def _access_logs(deployed: Deployed, resource: Resource) -> str:
    """The bucket of the same stack that takes the logs of all others."""
    return next((one.id for one in deployed.of_type("AWS::S3::Bucket", "AccessLogs", resource.stack)), "")


def _log_days(deployed: Deployed, resource: Resource) -> int:
    has_own = deployed.delivery if deployed.is_delivery(resource) else None
    return (has_own or deployed.config).log_retention_days


def _old_version_days(deployed: Deployed, resource: Resource) -> int:
    return 30 if deployed.is_delivery(resource) else 90


def _rotates(_: Deployed, key: Resource) -> Any:
    """KMS rotates no key that signs."""
    return ABSENT if key.properties.get("KeyUsage") == "SIGN_VERIFY" else True


def _kept(kind: str) -> Iterator[Promise]:
    """It stays when its stack goes, and when it is replaced."""
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        yield Promise(f"AWS::{kind} {policy}", "Retain")


OF_DATA = (
    *(one for kind in STATEFUL for one in _kept(kind)),
    Promise("AWS::KMS::Key EnableKeyRotation", _rotates),
    Promise(f"{DEFAULT}.SSEAlgorithm", "aws:kms", but=LOGS_OF_REQUESTS),
    Promise(f"{DEFAULT}.KMSMasterKeyID", OWN_KEY, but=LOGS_OF_REQUESTS),
    Promise(f"{DEFAULT}.SSEAlgorithm", "AES256", only=LOGS_OF_REQUESTS),
    Promise("AWS::S3::Bucket VersioningConfiguration.Status", "Enabled"),
    Promise(f"{LOGGED}.DestinationBucketName", _access_logs, but=LOGS_OF_REQUESTS),
    *(Promise(f"{PRIVATE}.{name}", True) for name in BLOCKED),
    Promise(f"{RULE}.0.Status", "Enabled"),
    Promise(f"{RULE}.1", ABSENT),
    Promise(f"{RULE}.0.AbortIncompleteMultipartUpload.DaysAfterInitiation", 7),
    Promise(f"{RULE}.0.NoncurrentVersionExpiration.NoncurrentDays", _old_version_days),
    Promise(f"{RULE}.0.ExpirationInDays", 90, only=("AccessLogs", "Capture")),
    Promise(f"{RULE}.0.ExpirationInDays", 30, only=("BuildArtefacts",)),
    Promise(f"{RULE}.0.ExpirationInDays", ABSENT, but=PASSING),
    Promise("AWS::DynamoDB::Table PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", True),
    Promise("AWS::DynamoDB::Table DeletionProtectionEnabled", True),
    Promise("AWS::DynamoDB::Table SSESpecification.KMSMasterKeyId", OWN_KEY),
    Promise("AWS::DynamoDB::Table BillingMode", "PAY_PER_REQUEST"),
    Promise("AWS::ECR::Repository ImageTagMutability", "IMMUTABLE"),
    Promise("AWS::ECR::Repository ImageScanningConfiguration.ScanOnPush", True),
    Promise("AWS::ECR::Repository EncryptionConfiguration.KmsKey", OWN_KEY),
)  # fmt: skip
OF_WORK = (
    Promise("AWS::SQS::Queue KmsMasterKeyId", OWN_KEY),
    Promise("AWS::SQS::Queue MessageRetentionPeriod", FOURTEEN_DAYS_SECONDS),
    Promise("AWS::SQS::Queue RedrivePolicy.maxReceiveCount", 5, only=("Alarms",)),
    Promise("AWS::SQS::Queue VisibilityTimeout", 360, only=("Alarms",)),  # six times what `retrain` may take
    Promise("AWS::Lambda::EventSourceMapping BatchSize", 1),
    Promise("AWS::Lambda::EventSourceMapping FunctionResponseTypes.0", "ReportBatchItemFailures"),
    Promise("AWS::SNS::Topic KmsMasterKeyId", OWN_KEY),
    Promise("AWS::Logs::LogGroup KmsKeyId", OWN_KEY),
    Promise("AWS::Logs::LogGroup RetentionInDays", _log_days),
    Promise("AWS::Lambda::Function KmsKeyArn", OWN_KEY),
    Promise("AWS::Lambda::Function TracingConfig.Mode", "Active"),
    Promise("AWS::Lambda::Function DeadLetterConfig.TargetArn", PRESENT),
    Promise("AWS::Lambda::Function Timeout", 60, but=(*LONG, *HASHES, *WAITS)),
    Promise("AWS::Lambda::Function Timeout", 300, only=HASHES),
    Promise("AWS::Lambda::Function Timeout", 600, only=LONG),
    Promise("AWS::Lambda::Function Timeout", 660, only=WAITS),
    Promise("AWS::Lambda::Function MemorySize", 256, but=(*LONG, *HASHES)),
    Promise("AWS::Lambda::Function MemorySize", 1024, only=(*LONG, *HASHES)),
)
OF_DELIVERY = (
    Promise("AWS::CodePipeline::Pipeline ArtifactStore.EncryptionKey.Id", OWN_KEY),
    Promise("AWS::CodePipeline::Pipeline PipelineType", "V2"),
    Promise("AWS::CodeBuild::Project EncryptionKey", OWN_KEY),
    Promise("AWS::CodeBuild::Project LogsConfig.CloudWatchLogs.Status", "ENABLED"),
)


def _of_a_fleet(config: Config) -> tuple[Promise, ...]:
    """A fleet is made anew for each release, as it is configured; the one before is kept until that is judged."""
    serving = config.serving
    if serving.mode != "realtime":
        return ()  # no fleet of instances: tests/stacks holds what there is
    plan = shift_of(config)
    fleet, capture = "AWS::SageMaker::EndpointConfig", "AWS::SageMaker::EndpointConfig DataCaptureConfig"
    return (
        Promise("AWS::SageMaker::Model EnableNetworkIsolation", True),
        Promise("AWS::SageMaker::Model UpdateReplacePolicy", "Retain"),
        Promise(f"{fleet} UpdateReplacePolicy", "Retain"),
        Promise(f"{fleet} KmsKeyId", OWN_KEY),
        Promise(f"{fleet} ProductionVariants.0.VariantName", VARIANT),
        Promise(f"{fleet} ProductionVariants.0.InitialInstanceCount", serving.instance_count),
        Promise(f"{capture}.EnableCapture", True),
        Promise(f"{capture}.InitialSamplingPercentage", serving.capture_percent),
        Promise(f"{capture}.KmsKeyId", OWN_KEY),
        Promise(f"{capture}.DestinationS3Uri", _capture_uri),
        Promise(f"{capture}.CaptureOptions.0.CaptureMode", "Input"),
        Promise(f"{capture}.CaptureOptions.1.CaptureMode", "Output"),
        *_of_a_shift(plan),
    )


def _of_a_shift(plan: ShiftPlan) -> Iterator[Promise]:
    deployment = "AWS::SageMaker::Endpoint DeploymentConfig"
    policy = f"{deployment}.BlueGreenUpdatePolicy"
    watched = 3 if plan.compares_versions else 2
    yield Promise(f"{deployment}.AutoRollbackConfiguration.Alarms.{watched - 1}", PRESENT)
    yield Promise(f"{policy}.TrafficRoutingConfiguration.Type", plan.kind)
    yield Promise(f"{policy}.TrafficRoutingConfiguration.WaitIntervalInSeconds", plan.bake_seconds)
    yield Promise(f"{policy}.TerminationWaitInSeconds", plan.bake_seconds)
    yield Promise(f"{policy}.MaximumExecutionTimeoutInSeconds", plan.timeout_seconds)


def _capture_uri(deployed: Deployed, _: Resource) -> str:
    bucket = next((one.id for one in deployed.of_type("AWS::S3::Bucket", "Capture", "-storage")), "")
    return f"s3://{bucket}/{Prefix.CAPTURE.rstrip('/')}"

"""Private touches on moto's resources: the policy that protects one, and the KMS key under which its data lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import lambda_backends
from moto.dynamodb.models import dynamodb_backends
from moto.ecr.models import ecr_backends
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from moto.s3.models import FakeBucket, s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from rehearsal.engine.moto_seams import functions, identity

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


def policy(account: Account, arn: str) -> str | None:
    """The resource policy of what an ARN names, as text; None where it has none, or there is no such thing."""
    service = arn.split(":")[2] if arn.startswith("arn:") else ""
    found = POLICIES[service](account, arn) if service in POLICIES else None
    return found if isinstance(found, str) or found is None else json.dumps(found, sort_keys=True)


def key(account: Account, arn: str) -> str | None:
    """The ARN of the customer's key that encrypts it; None where AWS's own key does."""
    service = arn.split(":")[2] if arn.startswith("arn:") else ""
    named = KEYS[service](account, arn) if service in KEYS else None
    return key_arn(account, named) if named else None


def key_arn(account: Account, named: str) -> str | None:
    """The ARN of a key given by ARN, id or alias; None for AWS's own keys."""
    if "alias/aws/" in named:
        return None
    if "alias/" in named:
        alias = named[named.index("alias/") :]
        backend = kms_backends[account.id][account.region]
        named = backend.get_key_id_from_alias(alias) or named
    return named if named.startswith("arn:") else f"arn:aws:kms:{account.region}:{account.id}:key/{named}"


def _bucket(account: Account, arn: str) -> FakeBucket | None:
    buckets: dict[str, FakeBucket] = s3_backends[account.id]["aws"].buckets
    return buckets.get(arn.removeprefix("arn:aws:s3:::").partition("/")[0])


def _bucket_policy(account: Account, arn: str) -> Any:
    bucket = _bucket(account, arn)
    policy = bucket.policy if bucket else None
    return policy.decode() if isinstance(policy, bytes) else policy


def _object_key(account: Account, arn: str) -> Any:
    """An object's own key; for what is not written yet, the bucket's."""
    bucket = _bucket(account, arn)
    if bucket is None:
        return None
    stored = bucket.keys.get(arn.partition("/")[2])
    if stored is not None:
        return stored.kms_key_id if stored.encryption == "aws:kms" else None
    return _bucket_key(account, arn)


def _bucket_key(account: Account, arn: str) -> Any:
    """The key of a bucket's default encryption, as it is configured."""
    bucket = _bucket(account, arn)
    rule = (bucket.encryption or {}).get("Rule", {}) if bucket else {}
    rule = rule[0] if isinstance(rule, list) else rule
    return rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")


def _queue(account: Account, arn: str) -> Any:
    return sqs_backends[account.id][account.region].queues.get(arn.rsplit(":", 1)[-1])


def _topic(account: Account, arn: str) -> Any:
    return sns_backends[account.id][account.region].topics.get(arn)


def _table_key(account: Account, arn: str) -> Any:
    table = dynamodb_backends[account.id][account.region].tables.get(arn.partition("/")[2].partition("/")[0])
    specification = (table.sse_specification or {}) if table else {}
    return (
        specification.get("KMSMasterKeyId") if str(specification.get("Enabled")).lower() == "true" else None
    )


def _log_group_key(account: Account, arn: str) -> Any:
    group = logs_backends[account.id][account.region].groups.get(arn.split(":")[6])
    return group.kms_key_id if group else None


def _function_policy(account: Account, arn: str) -> Any:
    if functions.find(account, arn) is None:
        return None
    return {"Statement": [_with_aws(one) for one in functions.policy_statements(account, arn)]}


def _with_aws(statement: dict[str, Any]) -> dict[str, Any]:
    """moto writes a principal that is no service as bare text."""
    principal = statement.get("Principal")
    return {**statement, "Principal": {"AWS": principal}} if isinstance(principal, str) else statement


def _function_key(account: Account, arn: str) -> Any:
    return lambda_backends[account.id][account.region].get_function(arn.split(":")[6]).kms_key_arn


def _key_policy(account: Account, arn: str) -> Any:
    key = kms_backends[account.id][account.region].keys.get(arn.rpartition("/")[2])
    return key.policy if key else None


def _repository_policy(account: Account, arn: str) -> Any:
    repository = ecr_backends[account.id][account.region].repositories.get(arn.partition("/")[2])
    return repository.policy if repository else None


def _trust(account: Account, arn: str) -> Any:
    documents = identity.role_documents(account, arn)
    return documents.trust if documents else None


POLICIES: dict[str, Callable[[Account, str], Any]] = {
    "ecr": _repository_policy,
    "iam": _trust,
    "kms": _key_policy,
    "lambda": _function_policy,
    "s3": _bucket_policy,
    "sns": lambda account, arn: topic.policy if (topic := _topic(account, arn)) else None,
    "sqs": lambda account, arn: queue.policy if (queue := _queue(account, arn)) else None,
}
KEYS: dict[str, Callable[[Account, str], Any]] = {
    "dynamodb": _table_key,
    "lambda": _function_key,
    "logs": _log_group_key,
    "s3": _object_key,
    "sns": lambda account, arn: topic.kms_master_key_id if (topic := _topic(account, arn)) else None,
    "sqs": lambda account, arn: queue.kms_master_key_id if (queue := _queue(account, arn)) else None,
}

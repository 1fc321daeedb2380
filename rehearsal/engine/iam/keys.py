"""What a request asks of KMS besides its own action: the keys under which the data that it touches lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rehearsal.engine.iam.calls import Call
from rehearsal.engine.iam.policies import Access, Principal
from rehearsal.engine.moto_seams import protected

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

READ, WRITE, BOTH = ("Decrypt",), ("GenerateDataKey",), ("GenerateDataKey", "Decrypt")
ITEMS = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem", "Query", "Scan")
NEEDS: dict[str, tuple[str, ...]] = {
    "s3:GetObject": READ,
    "s3:PutObject": WRITE,
    "sqs:SendMessage": BOTH,
    "sqs:ReceiveMessage": READ,
    "sns:Publish": BOTH,
    "logs:PutLogEvents": WRITE,
    **{f"dynamodb:{verb}": READ for verb in (*ITEMS, "BatchGetItem", "BatchWriteItem")},
}
"""What each action needs of the key of its resource."""
CONTEXT = {"sns": "topicarn"}
"""What a service calls its resource in the encryption context, where it is not `arn`."""
BY_THEMSELVES = ("logs",)
"""Services that use the key by their own name, not by the caller's."""
VOLUME_KEYS = {
    "sagemaker:CreateTrainingJob": ("ResourceConfig", "VolumeKmsKeyId"),
    "sagemaker:CreateProcessingJob": ("ProcessingResources", "ClusterConfig", "VolumeKmsKeyId"),
    "sagemaker:CreateTransformJob": ("TransformResources", "VolumeKmsKeyId"),
    "sagemaker:CreateEndpointConfig": ("KmsKeyId",),
}
"""Where a request names the key of its instances' volumes: SageMaker uses it by a grant."""


def needed(
    account: Account, principal: Principal, access: Access, given: str | None = None
) -> Iterator[tuple[Principal, Access]]:
    """The uses of a key that go with an access, and by whom; `given` is a key that the request itself names."""
    verbs = NEEDS.get(access.action, ())
    key = (
        protected.key_arn(account, given)
        if given
        else protected.key(account, access.resource)
        if verbs
        else None
    )
    if not key:
        return
    service = access.action.partition(":")[0]
    context: dict[str, tuple[str, ...]] = {
        "kms:viaservice": (f"{service}.{account.region}.amazonaws.com",),
        "kms:calleraccount": (account.id,),
        f"kms:encryptioncontext:aws:{service}:{CONTEXT.get(service, 'arn')}": (
            access.resource.partition(":log-stream:")[0],
        ),
    }
    if principal.service and not (principal.service.startswith("events.") and service == "sns"):
        context |= {name: value for name, value in access.context if name.startswith("aws:source")}
    user = principal
    if service in BY_THEMSELVES:
        user = Principal(account.id, service=f"{service}.{account.region}.amazonaws.com")
    yield from ((user, Access(f"kms:{verb}", key, tuple(sorted(context.items())))) for verb in verbs)


def of_request(call: Call) -> str | None:
    """The key that a request names for what it writes."""
    return call.parameters.get("SSEKMSKeyId") if call.service == "s3" else None


def of_volumes(account: Account, call: Call) -> str | None:
    """The key of the volumes that the call asks for."""
    value = call.parameters
    for name in VOLUME_KEYS.get(call.action, ("",)):
        value = value.get(name) or {}
    return protected.key_arn(account, str(value)) if value else None

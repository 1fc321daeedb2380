"""A deployed role at work: who may assume it, its credentials, and clients and checks that act as it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import boto3
from botocore import xform_name

from rehearsal.engine.iam import enforcement
from rehearsal.engine.iam.calls import Call
from rehearsal.engine.iam.policies import Access

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

_clients: WeakKeyDictionary[Account, dict[tuple[str, str, str], Any]] = WeakKeyDictionary()


def credentials(account: Account, role_arn: str, service: str) -> dict[str, str]:
    """The environment variables under which a process acts as the role, if the role trusts `service`."""
    require_trust(account, role_arn, service)
    assumed = account.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=_session_name(service))
    return {
        "AWS_ACCESS_KEY_ID": assumed["Credentials"]["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["Credentials"]["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["Credentials"]["SessionToken"],
        "AWS_REGION": account.region,
        "AWS_DEFAULT_REGION": account.region,
        "AWS_ENDPOINT_URL": account.endpoint_url,  # an IP address: botocore then addresses buckets by path
    }


def require_trust(account: Account, role_arn: str, service: str) -> None:
    """Raises PermissionError unless the role is there and lets the service assume it."""
    if not enforcement.trusts(account, role_arn, service):
        raise PermissionError(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            f"'{service}' to assume the role."
        )


def client(account: Account, role_arn: str, service: str, api: str) -> Any:
    """A boto3 client of `api` over HTTP that acts as the role which `service` assumes; made once, trusted each time."""
    require_trust(account, role_arn, service)
    kept = _clients.setdefault(account, {})
    if (role_arn, service, api) not in kept:
        environment = credentials(account, role_arn, service)
        kept[role_arn, service, api] = boto3.client(
            api,
            region_name=account.region,
            endpoint_url=account.endpoint_url,
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=environment["AWS_SESSION_TOKEN"],
        )
    return kept[role_arn, service, api]


def call(account: Account, role_arn: str, service: str, api: str, operation: str, **parameters: Any) -> Any:
    """One API call of `service` under the role, judged like any other but made without HTTP.

    Raises PermissionError with AWS's words if the role may not, and ClientError as boto3 does.
    """
    require_trust(account, role_arn, service)
    principal = enforcement.session(account, role_arn, _session_name(service))
    denial = enforcement.denial_of_call(account, principal, Call(api, operation, parameters))
    if denial:
        raise PermissionError(denial.message)
    return getattr(account.client(api), xform_name(operation))(**parameters)


def refusal(account: Account, role_arn: str, service: str, action: str, resource: str) -> str | None:
    """What AWS says when `service`, under the role, may not do this; None when it may."""
    principal = enforcement.session(account, role_arn, _session_name(service))
    denial = enforcement.denial(account, principal, Access(action, resource))
    return denial.message if denial else None


def _session_name(service: str) -> str:
    return service.partition(".")[0]

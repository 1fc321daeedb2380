"""What a role could do although nothing here does it: with a neighbour's things, or in the hands of others."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rehearsal.engine.iam import enforcement, policies, reference
from rehearsal.engine.iam.policies import Access, Principal
from rehearsal.engine.iam.resources import VARIABLE
from rehearsal.engine.moto_seams import identity, protected
from rehearsal.scenarios.promises.deployed import Deployed

ANOTHER_ACCOUNT = "999999999999"
STRANGER = Principal(
    ANOTHER_ACCOUNT,
    role_arn=f"arn:aws:iam::{ANOTHER_ACCOUNT}:role/neighbour",
    session_arn=f"arn:aws:sts::{ANOTHER_ACCOUNT}:assumed-role/neighbour/session",
)
OTHER_SERVICES = ("ec2.amazonaws.com", "glue.amazonaws.com", "ecs-tasks.amazonaws.com")
"""Services that would hand a role to code that anybody may start."""
PASSED_TO = tuple(
    (("iam:passedtoservice", (f"{name}.amazonaws.com",)),)
    for name in ("cloudformation", "codebuild", "events", "lambda", "sagemaker")
)
PROTECTED = tuple(
    f"AWS::{kind}"
    for kind in ("S3::Bucket", "SQS::Queue", "SNS::Topic", "KMS::Key", "Lambda::Function", "ECR::Repository")
)
"""Types that may have a policy of their own."""


def too_far(deployed: Deployed) -> Iterator[str]:
    for role in _roles(deployed):
        yield from _trusted_by(deployed, role)
    for name, document in _given(deployed):
        yield from _beyond(deployed, name, document)
    yield from _open_to_accounts(deployed)


def _roles(deployed: Deployed) -> list[str]:
    made = {one.id for one in deployed.of_type("AWS::IAM::Role")}
    return [arn for arn in identity.role_arns(deployed.account) if arn.rpartition("/")[2] in made]


def _trusted_by(deployed: Deployed, role: str) -> Iterator[str]:
    documents = identity.role_documents(deployed.account, role)
    others = [enforcement.service(deployed.account, name) for name in OTHER_SERVICES]
    for who in (STRANGER, *others):
        verdict = policies.judge([documents.trust] if documents else [], Access("sts:AssumeRole", role), who)
        if verdict.allowed or verdict.delegated:
            yield f"{role.rpartition('/')[2]} trusts {who.service or 'another account'}"


def _given(deployed: Deployed) -> Iterator[tuple[str, str]]:
    """Every policy that the templates give to a role, theirs or the bootstrap's, by its logical id."""
    for policy in deployed.of_type("AWS::IAM::Policy"):
        yield policy.logical_id, json.dumps(policy.properties["PolicyDocument"])
    for role in deployed.of_type("AWS::IAM::Role"):
        for policy in role.properties.get("Policies", []):
            yield role.logical_id, json.dumps(policy["PolicyDocument"])


def _beyond(deployed: Deployed, name: str, document: str) -> Iterator[str]:
    """Each action is given by its name, and reaches nothing of a neighbour's."""
    given = [statement for statement in policies.statements(document) if statement.allows]
    for action in sorted({action for one in given for action in one.actions or ("NotAction",)}):
        if reference.find(action) is None:
            yield f"{name} allows {action}, which names no action"
            continue
        contexts = PASSED_TO if action == "iam:PassRole" else ((),)
        for arn in neighbours(deployed, action):
            asked = [Access(action, arn, context) for context in contexts]
            if any(enforcement.grants(deployed.account, document, access) for access in asked):
                yield f"{name} allows {action} on {arn}"


NAMED_BY_AWS = "scalable-target"
"""Its ids are made up by AWS, so no policy can name ours; strangers.py asks which conditions bound such a grant."""


def neighbours(deployed: Deployed, action: str) -> list[str]:
    """ARNs of every kind that the action is about, by names that are not ours. None where IAM knows no kind for it."""
    known = reference.find(action)
    here = {"Partition": "aws", "Region": deployed.account.region, "Account": deployed.account.id}
    return [
        VARIABLE.sub(lambda found: here.get(found[1], other), kind.arn)  # noqa: B023
        for other in ("neighbour", f"{deployed.names.deployment}2")
        for kind in (known.resources if known else ())
        if NAMED_BY_AWS not in kind.arn
    ]


def _open_to_accounts(deployed: Deployed) -> Iterator[str]:
    for resource in (one for kind in PROTECTED for one in deployed.of_type(kind)):
        arn = _arn(deployed, resource.type, resource.id)
        document = protected.policy(deployed.account, arn)
        for statement in policies.statements(document) if document else ():
            alone = json.dumps({"Statement": [statement.content]})
            for action in statement.actions if statement.allows else ():
                verdict = policies.judge([alone], Access(action.replace("*", "Anything"), arn), STRANGER)
                if verdict.allowed or verdict.delegated:
                    yield f"{resource.logical_id} lets another account {action}"


def _arn(deployed: Deployed, kind: str, physical_id: str) -> str:
    if physical_id.startswith("arn:"):
        return physical_id
    if kind == "AWS::S3::Bucket":
        return f"arn:aws:s3:::{physical_id}"
    service = kind.split("::")[1].lower()
    tail = {"kms": "key/", "ecr": "repository/", "lambda": "function:"}.get(service, "")
    name = physical_id.rpartition("/")[2] if service == "sqs" else physical_id
    return f"arn:aws:{service}:{deployed.account.region}:{deployed.account.id}:{tail}{name}"

"""Who must not get in: whoever asks without TLS, a service that acts for another account, a neighbour's rule.

A life asks nothing that it may not, so it never shows what a policy keeps out. This asks in the place of strangers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rehearsal.engine import Account
from rehearsal.engine.iam import enforcement
from rehearsal.engine.iam.policies import Access, Principal
from rehearsal.engine.moto_seams import events as event_seam
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.turn import Outcome

ANOTHER_ACCOUNT = "999999999999"
NEIGHBOUR = "neighbour"
DONE_TO = {
    "s3": ("s3:ListBucket", "s3:GetObject", "s3:PutObject"),
    "sqs": ("sqs:SendMessage",),
    "sns": ("sns:Publish",),
    "kms": ("kms:Decrypt", "kms:GenerateDataKey"),
    "lambda": ("lambda:InvokeFunction",),
}
"""What a stranger would want of a resource."""
OVER_HTTP = ("s3", "sqs", "sns")
"""Services that answer without TLS unless a policy forbids it."""
SERVICES = tuple(
    f"{name}.amazonaws.com" for name in ("cloudwatch", "delivery.logs", "events", "logging.s3", "s3", "sns")
)
EVENTS = "events.amazonaws.com"
OF_ANY_RULE = "-Alarms"
"""The queue that takes the events of this account's rules: its policy cannot name the rule, which names the queue."""
ADMINISTRATOR = "-cfn-exec-role-"
"""The bootstrap's role under which CloudFormation may do everything."""
SIGNER = "-sign-model"
"""How the name of the function and of its role ends."""
ASSUMED_FOR_ONE_ACCOUNT = "codebuild.amazonaws.com"
"""The service of which AWS advises to trust it on behalf of one's own account only."""


@dataclass(frozen=True)
class Resource:
    """A resource of ours that has a policy."""

    service: str
    arn: str

    def accesses(self, **context: str) -> Iterator[Access]:
        given = tuple(sorted((key.replace("_", ":", 1), (value,)) for key, value in context.items()))
        for action in DONE_TO[self.service]:
            is_object = action in ("s3:GetObject", "s3:PutObject")
            yield Access(action, f"{self.arn}/anything" if is_object else self.arn, given)


def check_strangers(outcome: Outcome) -> Iterator[Finding]:
    account, name = outcome.deployment.account, outcome.deployment.config.name
    resources = list(_resources(account, f"{name}-"))
    plain = sorted(_without_tls(account, resources))
    yield Finding(
        "nothing answers without TLS", not plain, f"no Deny on aws:SecureTransport: {'; '.join(plain[:3])}"
    )
    through = sorted({*_of_another_account(account, resources), *_to_roles(account, f"{name}-")})
    yield Finding("no service gets in for another account", not through, "; ".join(through[:3]))
    through = sorted(_of_a_neighbour(account, resources))
    yield Finding("no rule of a neighbour gets in", not through, "; ".join(through[:3]))
    through = sorted({*_beyond_their_own(account, f"{name}-"), *_for_other_things(account, resources)})
    yield Finding("no role reaches into a neighbour's things", not through, "; ".join(through[:3]))
    through = sorted(_who_sign(account, resources))
    yield Finding("no other role could sign, whatever it were granted", not through, "; ".join(through[:3]))


def _resources(account: Account, prefix: str) -> Iterator[Resource]:
    here = f"{account.region}:{account.id}"
    for bucket in account.client("s3").list_buckets()["Buckets"]:
        if bucket["Name"].startswith(prefix):
            yield Resource("s3", f"arn:aws:s3:::{bucket['Name']}")
    for url in account.client("sqs").list_queues(QueueNamePrefix=prefix).get("QueueUrls", []):
        yield Resource("sqs", f"arn:aws:sqs:{here}:{url.rsplit('/', 1)[1]}")
    for topic in account.client("sns").list_topics()["Topics"]:
        if topic["TopicArn"].rsplit(":", 1)[1].startswith(prefix):
            yield Resource("sns", topic["TopicArn"])
    for function in account.client("lambda").list_functions()["Functions"]:
        if function["FunctionName"].startswith(prefix):
            yield Resource("lambda", function["FunctionArn"])
    for alias in account.client("kms").list_aliases()["Aliases"]:
        if alias["AliasName"].startswith(f"alias/{prefix}") and "TargetKeyId" in alias:
            yield Resource("kms", f"arn:aws:kms:{here}:key/{alias['TargetKeyId']}")


def _open_to_rules(account: Account) -> set[str]:
    """The topics to which a rule writes.

    EventBridge does not tell SNS for which rule or account it writes: a condition on either would keep all out.
    """
    targets = (target["Arn"] for rule in event_seam.rules(account) for target in rule.targets)
    return {arn for arn in targets if arn.split(":")[2] == "sns"}


def _without_tls(account: Account, resources: list[Resource]) -> Iterator[str]:
    """It takes a Deny: an Allow elsewhere would let in whoever has one. S3 speaks TLS 1.1 too, if it is let."""
    anybody = enforcement.session(account, f"arn:aws:iam::{account.id}:role/anybody", "anybody")
    for resource in resources:
        if resource.service in OVER_HTTP:
            old = resource.accesses(s3_tlsversion="1.1") if resource.service == "s3" else ()
            for access in (*resource.accesses(aws_securetransport="false"), *old):
                if not enforcement.imagined(account, anybody, access).reason.startswith(
                    "with an explicit deny"
                ):
                    yield f"{access.action} on {access.resource}"


def _of_another_account(account: Account, resources: list[Resource]) -> Iterator[str]:
    source = f"arn:aws:events:{account.region}:{ANOTHER_ACCOUNT}:rule/{NEIGHBOUR}"
    open_to_rules = _open_to_rules(account)
    for service in (*SERVICES, f"logs.{account.region}.amazonaws.com"):
        for resource in resources:
            if service == EVENTS and resource.arn in open_to_rules:
                continue
            for access in resource.accesses(
                aws_sourcearn=source, aws_sourceaccount=ANOTHER_ACCOUNT, aws_sourceowner=ANOTHER_ACCOUNT
            ):
                yield from _let_in(account, enforcement.service(account, service), access)


def _to_roles(account: Account, prefix: str) -> Iterator[str]:
    service = enforcement.service(account, ASSUMED_FOR_ONE_ACCOUNT)
    for role in _roles(account, prefix):
        for source in ((("aws:sourceaccount", (ANOTHER_ACCOUNT,)),), ()):
            yield from _let_in(account, service, Access("sts:AssumeRole", role, source))


def _of_a_neighbour(account: Account, resources: list[Resource]) -> Iterator[str]:
    source = f"arn:aws:events:{account.region}:{account.id}:rule/{NEIGHBOUR}"
    events, open_to_rules = enforcement.service(account, EVENTS), _open_to_rules(account)
    for resource in resources:
        if (
            resource.service != "kms"
            and OF_ANY_RULE not in resource.arn
            and resource.arn not in open_to_rules
        ):
            for access in resource.accesses(aws_sourcearn=source, aws_sourceaccount=account.id):
                yield from _let_in(account, events, access)


def _beyond_their_own(account: Account, prefix: str) -> Iterator[str]:
    """Another template for a stack, another namespace of metrics, a role for another service."""
    passed = list(_roles(account, prefix))
    asked = [
        Access("cloudwatch:PutMetricData", "*", (("cloudwatch:namespace", ("Neighbour",)),)),
        *_scaling_of_others(account),
        *(
            Access("iam:PassRole", role, (("iam:passedtoservice", ("ec2.amazonaws.com",)),))
            for role in passed
        ),
    ]
    for stack in account.client("cloudformation").describe_stacks()["Stacks"]:
        given = (("cloudformation:templateurl", ("https://neighbour/template",)),)
        for role in passed:
            update = Access("cloudformation:UpdateStack", stack["StackId"], given)
            yield from _let_in(account, enforcement.session(account, role, NEIGHBOUR), update)
    for role in (found for found in _roles(account, "") if ADMINISTRATOR not in found):
        for access in asked:
            yield from _let_in(account, enforcement.session(account, role, NEIGHBOUR), access)


def _scaling_of_others(account: Account) -> Iterator[Access]:
    """Another service's capacity, another capacity of SageMaker's, another service's own role."""
    target = f"arn:aws:application-autoscaling:{account.region}:{account.id}:scalable-target/{NEIGHBOUR}"
    of_sagemaker = "sagemaker:variant:DesiredInstanceCount"
    for namespace, dimension in (("ecs", of_sagemaker), ("sagemaker", "ecs:service:DesiredCount")):
        context = (
            ("application-autoscaling:scalable-dimension", (dimension,)),
            ("application-autoscaling:service-namespace", (namespace,)),
        )
        for verb in (
            "DeleteScalingPolicy",
            "DeregisterScalableTarget",
            "PutScalingPolicy",
            "RegisterScalableTarget",
        ):
            yield Access(f"application-autoscaling:{verb}", target, context)
    service = "sagemaker.application-autoscaling.amazonaws.com"
    name = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    role = f"arn:aws:iam::{account.id}:role/aws-service-role/{service}/{name}"
    yield Access("iam:CreateServiceLinkedRole", role, (("iam:awsservicename", ("ecs.amazonaws.com",)),))


def _for_other_things(account: Account, resources: list[Resource]) -> Iterator[str]:
    """CloudWatch Logs may use a key of ours for our log groups alone, and EventBridge to write to our topics alone."""
    here = f"{account.region}:{account.id}"
    for service, name, about in (
        (f"logs.{account.region}.amazonaws.com", "logs:arn", f"arn:aws:logs:{here}:log-group:{NEIGHBOUR}"),
        (EVENTS, "sns:topicarn", f"arn:aws:sns:{here}:{NEIGHBOUR}"),
    ):
        for key in (resource for resource in resources if resource.service == "kms"):
            for access in key.accesses(**{f"kms_encryptioncontext:aws:{name}": about}):
                yield from _let_in(account, enforcement.service(account, service), access)


def _who_sign(account: Account, resources: list[Resource]) -> Iterator[str]:
    """It takes a Deny of the key itself: an Allow of a role's own is one policy away."""
    aliases = account.client("kms").list_aliases()["Aliases"]
    keys = {one["AliasName"]: one["TargetKeyId"] for one in aliases if "TargetKeyId" in one}
    for function in (one for one in resources if one.arn.endswith(SIGNER)):
        deployment = function.arn.rpartition(":")[2].removesuffix(SIGNER)
        key = account.client("kms").describe_key(KeyId=keys[f"alias/{deployment}-signing"])["KeyMetadata"][
            "Arn"
        ]
        for role in _roles(account, f"{deployment}-"):
            session = enforcement.session(account, role, NEIGHBOUR)
            answer = enforcement.imagined(account, session, Access("kms:Sign", key))
            may = role.endswith(f"/{deployment}{SIGNER}")
            if answer.allowed != may or not (may or answer.reason.startswith("with an explicit deny")):
                yield f"{role} {'may' if answer.allowed else 'may not'} sign: {answer.reason}"


def _roles(account: Account, prefix: str) -> Iterator[str]:
    for page in account.client("iam").get_paginator("list_roles").paginate():
        yield from (role["Arn"] for role in page["Roles"] if role["RoleName"].startswith(prefix))


def _let_in(account: Account, principal: Principal, access: Access) -> Iterator[str]:
    if enforcement.imagined(account, principal, access).allowed:
        who = principal.service or principal.role_arn.rsplit("/", 1)[-1]
        about = ", ".join(f"{key} {values[0]}" for key, values in access.context)
        yield f"{who} may {access.action} on {access.resource} with {about}"

"""One function of `lambdas/`: asset, environment, logs, traces, dead letters and what starts it, in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import Duration, IgnoreMode, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from config.schema import Config
from domain.names import ACCOUNT_VARIABLE, Names
from domain.settings import Settings
from stacks.acknowledgements import acknowledge
from stacks.permissions import allow

PYTHON = lambda_.Runtime.PYTHON_3_13
ONE_MINOR = (
    "Functions, image and locked packages are on one pinned Python minor, 3.13, which AWS supports; "
    "all move together."
)

ROOT = Path(__file__).resolve().parents[1]
PACKAGED = ("domain", "lambdas", "config/prices")
DELIVERY_ATTEMPTS = 185
"""How often EventBridge tries within its 24 hours, its most; after that the event lies in the dead letters."""


def lambda_package(root: Path = ROOT, *, more: tuple[str, ...] = ()) -> lambda_.Code:
    """domain/, lambdas/ and the price tables, straight from the repository: no build step, one asset for all.

    `more` are files beside the Python code, which the others need not.
    """
    allowed = [line for path in PACKAGED for line in (f"!{path}", f"!{path}/**")]
    rest = ["lambdas/*.txt", *(f"!{path}" for path in more), "**/__pycache__", "**/*.pyc"]
    return lambda_.Code.from_asset(
        str(root),
        ignore_mode=IgnoreMode.GIT,
        exclude=["*", "!config", "config/*", *allowed, *rest],
    )


def encrypted_queue(
    scope: Construct,
    construct_id: str,
    key: kms.IKey,
    *,
    dead_letters: sqs.Queue | None = None,
    **kwargs: Any,
) -> sqs.Queue:
    """A queue that keeps a message 14 days; one without `dead_letters` is where messages end."""
    redrive = sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5) if dead_letters else None
    queue = sqs.Queue(
        scope,
        construct_id,
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=Duration.days(14),
        dead_letter_queue=redrive,
        **kwargs,
    )
    if not dead_letters:
        acknowledge(
            queue, "Serverless-SQSRedrivePolicy", "It holds dead letters; an alarm tells people of the first."
        )
    return queue


class PythonFunction(Construct):
    """`lambdas/<handler>.py` as a function, with encrypted logs that expire and a queue for what failed."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        handler: str,
        config: Config,
        settings: Settings,
        key: kms.IKey,
        timeout: Duration | None = None,
        memory_mib: int = 256,
        code: lambda_.Code | None = None,
        role_name: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        name = Names(config.name, config.environment).function(handler)
        self.handler, self.log_group_name = handler, f"/aws/lambda/{name}"
        self.dead_letters = encrypted_queue(self, "DeadLetters", key)
        trusted = iam.ServicePrincipal("lambda.amazonaws.com")
        self.role = iam.Role(self, "Role", assumed_by=trusted, role_name=role_name)
        # The environment, the dead letters and all that a handler reads or writes lie under this key.
        allow(self.role, ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            runtime=PYTHON,
            architecture=lambda_.Architecture.ARM_64,
            handler=f"lambdas.{handler}.handler",
            code=code or lambda_package(),
            environment={**settings.to_env(), ACCOUNT_VARIABLE: Stack.of(self).account},
            environment_encryption=key,
            role=self.role,
            log_group=self._log_group(config.log_retention_days, key),
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
            timeout=timeout or Duration.seconds(60),
            memory_size=memory_mib,
            dead_letter_queue=self.dead_letters,
        )
        for finding in ("AwsSolutions-L1", "Serverless-LambdaLatestVersion"):
            acknowledge(self.function, finding, ONE_MINOR)

    def _log_group(self, days: int, key: kms.IKey) -> logs.LogGroup:
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=self.log_group_name,
            encryption_key=key,
            retention=RETENTION[days],
            removal_policy=RemovalPolicy.DESTROY,
        )
        group.grant_write(self.role)
        return group

    def allow(
        self, actions: list[str], resources: list[str], conditions: dict[str, Any] | None = None
    ) -> None:
        """One statement of the function's role: name the actions and the resources."""
        allow(self.role, actions, resources, conditions)

    def run_daily(self, description: str, *, hour_utc: int, minute: int) -> None:
        schedule = events.Schedule.cron(hour=str(hour_utc), minute=str(minute))
        events.Rule(self, "Daily", description=description, schedule=schedule, targets=[self._target()])

    def run_on(self, construct_id: str, description: str, pattern: events.EventPattern) -> None:
        events.Rule(
            self, construct_id, description=description, event_pattern=pattern, targets=[self._target()]
        )

    def _target(self) -> targets.LambdaFunction:
        return targets.LambdaFunction(
            self.function, dead_letter_queue=self.dead_letters, retry_attempts=DELIVERY_ATTEMPTS
        )


RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}

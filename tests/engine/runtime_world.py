"""A small account to try the runtime half on: functions, queues and rules made by API calls, no templates."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

from rehearsal.engine.account import Account

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@dataclass(frozen=True)
class World:
    """An account and short ways to fill it."""

    account: Account

    def role(
        self, name: str = "role", *, trusts: str = "lambda.amazonaws.com", statements: Any = (ALLOW_ALL,)
    ) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}
        iam = self.account.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
        return str(role["Role"]["Arn"])

    def function(self, code: str, *, name: str = "work", role: str | None = None, **properties: Any) -> str:
        """Deploy `app.handler` with this source; it may do everything unless `role` says otherwise."""
        configuration = {"Runtime": "python3.13", "Handler": "app.handler", "Timeout": 20, **properties}
        created = self.account.client("lambda").create_function(
            FunctionName=name,
            Role=role or self.role(f"{name}-role"),
            Code={"ZipFile": zipped(code)},
            **configuration,
        )
        return str(created["FunctionArn"])

    def call(self, name: str, event: Any = None) -> tuple[Any, str | None]:
        """Invoke through the API; the decoded payload, and the function error if there was one."""
        response = self.account.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}))
        return json.loads(response["Payload"].read()), response.get("FunctionError")

    def rule(self, name: str, target_arn: str, *, targets: Any = None, **properties: Any) -> str:
        events = self.account.client("events")
        pattern = (
            {} if "ScheduleExpression" in properties else {"EventPattern": json.dumps({"source": ["test"]})}
        )
        arn = events.put_rule(Name=name, **{**pattern, **properties})["RuleArn"]
        events.put_targets(Rule=name, Targets=targets or [{"Id": "1", "Arn": target_arn}])
        return str(arn)

    def permit(self, function_name: str, source_arn: str) -> None:
        """What AWS::Lambda::Permission deploys."""
        self.account.client("lambda").add_permission(
            FunctionName=function_name,
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=source_arn,
        )

    def queue(self, name: str, *, admits: str | None = None, **attributes: str) -> tuple[str, str]:
        """URL and ARN of a queue; `admits` is the ARN of a rule that may send to it."""
        sqs = self.account.client("sqs")
        arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        if admits:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": admits}},
            }
            attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]), arn

    def bodies(self, queue_url: str) -> list[Any]:
        """What lies in the queue now."""
        response = self.account.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in response.get("Messages", [])]

    def facts(self, kind: str) -> list[dict[str, Any]]:
        return [entry.facts for entry in self.account.journal.of(kind)]

    def live(self, **duration: float) -> None:
        self.account.advance_to(self.account.clock.now() + timedelta(**duration))


def zipped(code: str, **modules: str) -> bytes:
    """The code as the module app, and more modules by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {"app": code, **modules}.items():
            archive.writestr(f"{name}.py", dedent(text))
    return buffer.getvalue()


@contextmanager
def world(directory: Path) -> Iterator[World]:
    with Account(start=START, directory=directory) as account:
        yield World(account)

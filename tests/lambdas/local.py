"""One deployment's handlers in a small account: plain moto, and clients whose answers a test scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from types import ModuleType
from typing import Any

import boto3
import pytest
import time_machine
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from cli.control import set_paused
from domain.settings import ChooseInstanceSettings, Settings
from lambdas import aws, choose_instance
from lambdas.ledger import Ledger

DEPLOYMENT = "tideline-dev"
NOW = datetime(2013, 4, 20, 13, tzinfo=UTC)
ACCOUNT = "arn:aws:sagemaker:us-east-1:123456789012"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/tideline-dev@sha256:" + "a" * 64

Answer = Callable[..., dict[str, Any]]


class Scripted:
    """A client some of whose calls a test answers; both sides are checked against botocore's shapes."""

    def __init__(self, real: Any, answers: Mapping[str, Answer]) -> None:
        self.real = real
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        if name not in self.answers:
            return getattr(self.real, name)
        operation = self.real.meta.service_model.operation_model(self.real.meta.method_to_api_mapping[name])

        def call(**parameters: Any) -> dict[str, Any]:
            validate_parameters(parameters, operation.input_shape)
            self.calls.append((name, parameters))
            answer = self.answers[name](**parameters)
            validate_parameters(answer, operation.output_shape)
            return answer

        return call

    def called(self, name: str) -> list[dict[str, Any]]:
        return [parameters for called, parameters in self.calls if called == name]


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


class Local:
    """The resources of one deployment, its functions by name, and what people were told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, traveller: time_machine.Traveller) -> None:
        self._monkeypatch = monkeypatch
        self._traveller = traveller
        self._scripted: dict[str, Scripted] = {}
        self.functions: dict[str, Answer] = {"tideline-dev-choose-instance": self._choose}
        self.invoked: list[tuple[str, dict[str, Any]]] = []
        monkeypatch.setattr(aws, "client", self.client)
        monkeypatch.setattr(aws, "invoke", self._invoke)
        boto3.client("dynamodb").create_table(
            TableName="ledger",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        self.s3 = boto3.client("s3")
        for bucket in ("data", "capture", "artefacts"):
            self.s3.create_bucket(Bucket=bucket)
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.ledger = Ledger("ledger")

    @cached_property
    def key_arn(self) -> str:
        return str(boto3.client("kms").create_key()["KeyMetadata"]["Arn"])

    @cached_property
    def signing_key_arn(self) -> str:
        made = boto3.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        return str(made["KeyMetadata"]["Arn"])

    @cached_property
    def topic_arn(self) -> str:
        """The topic that tells people, and a queue that keeps what they were told."""
        sns = boto3.client("sns")
        topic = str(sns.create_topic(Name="people")["TopicArn"])
        boto3.client("sqs").create_queue(QueueName="mail")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic.replace(":sns:", ":sqs:")[:-6] + "mail")
        return topic

    def client(self, service: str) -> Any:
        return self._scripted.get(service) or boto3.client(service)

    def script(self, service: str, **answers: Answer) -> Scripted:
        """Answer these calls of a service from now on; all others stay the account's."""
        self._scripted[service] = Scripted(boto3.client(service), answers)
        return self._scripted[service]

    def _invoke(self, functions: object, name: str, payload: dict[str, Any]) -> Any:
        payload = json.loads(json.dumps(payload))
        self.invoked.append((name, payload))
        return json.loads(json.dumps(self.functions[name](**payload)))

    def _choose(self, **event: Any) -> dict[str, Any]:
        for name, value in (
            ChooseInstanceSettings(region="us-east-1", estimates="use", explore="off").to_env().items()
        ):
            self._monkeypatch.setenv(name, value)
        return choose_instance.handler(event, None)

    def run(self, module: ModuleType, settings: Settings, event: Any) -> dict[str, Any]:
        """Invoke a handler as Lambda does: event and answer are JSON."""
        for name, value in settings.to_env().items():
            self._monkeypatch.setenv(name, value)
        answer: dict[str, Any] = json.loads(json.dumps(module.handler(json.loads(json.dumps(event)), None)))
        return answer

    def pause(self, paused: bool) -> None:
        """What an operator does with `./tideline pause`."""
        set_paused(boto3.client("dynamodb"), "ledger", paused, by="ops", now=NOW)

    def at(self, instant: datetime) -> None:
        self._traveller.move_to(instant)

    def put(self, uri: str, body: bytes | str) -> str:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return uri

    def put_json(self, uri: str, body: Any) -> str:
        return self.put(uri, json.dumps(body))

    def read(self, bucket: str, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        found = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", [])]

    def messages(self) -> list[str]:
        """What people were told since the last look."""
        assert self.topic_arn
        sqs, told = boto3.client("sqs"), []
        queue = sqs.get_queue_url(QueueName="mail")["QueueUrl"]
        while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                told.append(json.loads(message["Body"])["Message"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return told

    def decisions(self, kind: str) -> list[tuple[str, str]]:
        """Verdict and rule of each decision of a kind, oldest first."""
        return [(one["verdict"], one["rule"]) for one in self.ledger.decisions() if one["kind"] == kind]

"""CloudFormation types that tell: EventBridge, SQS, SNS, CloudWatch; and CDK's own metadata."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.cloudformation.resources import Properties, ResourceType, document, pick, without


class Rule(ResourceType):
    type = "AWS::Events::Rule"
    service = "events"
    creates = "PutRule"
    also = frozenset({"Targets"})
    names_itself = "Name"
    longest_name = 64
    create_only = frozenset({"EventBusName"})

    def create(self) -> str:
        self.send("PutRule", **without(self.properties, "Targets"))
        if self.properties.get("Targets"):
            self.send("PutTargets", Rule=self.name, **self._bus(), Targets=self.properties["Targets"])
        return self.name

    def update(self, old: Properties) -> None:
        kept = {target["Id"] for target in self.properties.get("Targets", [])}
        self._remove_targets([target for target in old.get("Targets", []) if target["Id"] not in kept])
        self.create()

    def delete(self) -> None:
        self._remove_targets(self.properties.get("Targets", []))
        self.send("DeleteRule", Name=self.name, **self._bus())

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.arn(f"rule/{self.name}")}

    def _bus(self) -> dict[str, Any]:
        return pick(self.properties, "EventBusName")

    def _remove_targets(self, targets: list[dict[str, Any]]) -> None:
        if targets:
            self.send(
                "RemoveTargets", Rule=self.name, **self._bus(), Ids=[target["Id"] for target in targets]
            )


QUEUE_ATTRIBUTES = {  # what an absent property means
    "DelaySeconds": 0,
    "KmsDataKeyReusePeriodSeconds": 300,
    "KmsMasterKeyId": "",
    "MessageRetentionPeriod": 345600,
    "ReceiveMessageWaitTimeSeconds": 0,
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": True,
    "VisibilityTimeout": 30,
}


class Queue(ResourceType):
    type = "AWS::SQS::Queue"
    service = "sqs"
    also = frozenset({*QUEUE_ATTRIBUTES, "QueueName", "Tags"})
    names_itself = "QueueName"
    longest_name = 80

    def create(self) -> str:
        attributes = pick(self.properties, *QUEUE_ATTRIBUTES)
        queue = self.send("CreateQueue", QueueName=self.name, Attributes=attributes, **self._tags())
        return str(queue["QueueUrl"])

    def update(self, old: Properties) -> None:
        touched = self.changed(old) & QUEUE_ATTRIBUTES.keys()
        attributes = {name: self.properties.get(name, QUEUE_ATTRIBUTES[name]) for name in touched}
        self.send("SetQueueAttributes", QueueUrl=self.id, Attributes=attributes)

    def delete(self) -> None:
        self.send("DeleteQueue", QueueUrl=self.id)

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.arn(self.name), "QueueName": self.name, "QueueUrl": self.id}

    def _tags(self) -> dict[str, Any]:
        return {"tags": self.properties["Tags"]} if "Tags" in self.properties else {}


class QueuePolicy(ResourceType):
    type = "AWS::SQS::QueuePolicy"
    service = "sqs"
    also = frozenset({"PolicyDocument", "Queues"})

    def create(self) -> str:
        self._put(self.properties["Queues"], document(self.properties["PolicyDocument"]))
        return self.generated_name(str(self.properties["Queues"]))

    def update(self, old: Properties) -> None:
        self._put([url for url in old["Queues"] if url not in self.properties["Queues"]], "")
        self.create()

    def delete(self) -> None:
        self._put(self.properties["Queues"], "")

    def _put(self, urls: list[str], policy: str) -> None:
        for url in urls:
            self.send("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": policy})


class Topic(ResourceType):
    type = "AWS::SNS::Topic"
    service = "sns"
    also = frozenset({"DisplayName", "KmsMasterKeyId", "Tags", "TopicName"})
    names_itself = "TopicName"

    def create(self) -> str:
        attributes = pick(self.properties, "DisplayName", "KmsMasterKeyId")
        return str(
            self.send("CreateTopic", Name=self.name, Attributes=attributes, **pick(self.properties, "Tags"))[
                "TopicArn"
            ]
        )

    def update(self, old: Properties) -> None:
        for name in sorted(self.changed(old) - {"Tags"}):
            value = self.properties.get(name, "")
            self.send("SetTopicAttributes", TopicArn=self.id, AttributeName=name, AttributeValue=value)

    def delete(self) -> None:
        self.send("DeleteTopic", TopicArn=self.id)

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.id, "TopicArn": self.id, "TopicName": self.name}


class TopicPolicy(ResourceType):
    type = "AWS::SNS::TopicPolicy"
    service = "sns"
    also = frozenset({"PolicyDocument", "Topics"})
    create_only = frozenset({"Topics"})

    def create(self) -> str:
        policy = document(self.properties["PolicyDocument"])
        for topic in self.properties["Topics"]:
            self.send("SetTopicAttributes", TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        return self.generated_name(str(self.properties["Topics"]))

    def update(self, _: Properties) -> None:
        self.create()

    def delete(self) -> None:
        """The default policy comes back: the owner may do everything."""
        for topic in self.properties["Topics"]:
            everybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "SNS:*", "Resource": topic}
            owner = {"Condition": {"StringEquals": {"AWS:SourceOwner": self.account.id}}}
            policy = document({"Version": "2008-10-17", "Statement": [{**everybody, **owner}]})
            self.send("SetTopicAttributes", TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


class Subscription(ResourceType):
    type = "AWS::SNS::Subscription"
    service = "sns"
    also = frozenset(
        {
            "Endpoint",
            "FilterPolicy",
            "FilterPolicyScope",
            "Protocol",
            "RawMessageDelivery",
            "RedrivePolicy",
            "TopicArn",
        }
    )
    create_only = frozenset({"Endpoint", "Protocol", "TopicArn"})

    def create(self) -> str:
        wanted = pick(self.properties, "TopicArn", "Protocol", "Endpoint")
        attributes = without(self.properties, *wanted)
        answer = self.send("Subscribe", **wanted, Attributes=attributes, ReturnSubscriptionArn=True)
        return str(answer["SubscriptionArn"])

    def update(self, old: Properties) -> None:
        for name in sorted(self.changed(old)):
            if name not in self.properties:
                raise self.unsupported(f"removal of {name}")
            change = {"AttributeName": name, "AttributeValue": self.properties[name]}
            self.send("SetSubscriptionAttributes", SubscriptionArn=self.id, **change)

    def delete(self) -> None:
        self.send("Unsubscribe", SubscriptionArn=self.id)

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.id}


class Alarm(ResourceType):
    type = "AWS::CloudWatch::Alarm"
    service = "cloudwatch"
    creates = "PutMetricAlarm"
    names_itself = "AlarmName"

    def create(self) -> str:
        self.send("PutMetricAlarm", **self.properties)
        return self.name

    def update(self, _: Properties) -> None:
        self.create()

    def delete(self) -> None:
        self.send("DeleteAlarms", AlarmNames=[self.name])

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.arn(f"alarm:{self.name}")}


class Dashboard(ResourceType):
    type = "AWS::CloudWatch::Dashboard"
    service = "cloudwatch"
    creates = "PutDashboard"
    names_itself = "DashboardName"

    def create(self) -> str:
        self.send("PutDashboard", **without(self.properties, "Tags"))
        return self.name

    def update(self, _: Properties) -> None:
        self.create()

    def delete(self) -> None:
        self.send("DeleteDashboards", DashboardNames=[self.name])


class CdkMetadata(ResourceType):
    """What CDK counts its constructs with; it makes nothing."""

    type = "AWS::CDK::Metadata"
    service = "cloudformation"
    also = frozenset({"Analytics"})

    def create(self) -> str:
        return self.logical_id

    def update(self, _: Properties) -> None: ...

    def delete(self) -> None: ...


TYPES = (Rule, Queue, QueuePolicy, Topic, TopicPolicy, Subscription, Alarm, Dashboard, CdkMetadata)

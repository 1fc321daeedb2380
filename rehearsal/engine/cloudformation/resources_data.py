"""CloudFormation types that keep things: KMS, DynamoDB, ECR, SSM."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.cloudformation.resources import Properties, ResourceType, document, pick, without

SYMMETRIC = "SYMMETRIC_DEFAULT"


class Key(ResourceType):
    type = "AWS::KMS::Key"
    service = "kms"
    also = frozenset(
        {
            "Description",
            "EnableKeyRotation",
            "Enabled",
            "KeyPolicy",
            "KeySpec",
            "KeyUsage",
            "PendingWindowInDays",
            "Tags",
        }
    )
    create_only = frozenset({"KeySpec", "KeyUsage"})

    def create(self) -> str:
        p = self.properties
        made = pick(p, "Description", "KeySpec", "KeyUsage", "Tags")
        self.id = self.send("CreateKey", Policy=document(p["KeyPolicy"]), **made)["KeyMetadata"]["KeyId"]
        self._switch()
        return self.id

    def update(self, _: Properties) -> None:
        p = self.properties
        self.send("PutKeyPolicy", KeyId=self.id, PolicyName="default", Policy=document(p["KeyPolicy"]))
        self.send("UpdateKeyDescription", KeyId=self.id, Description=p.get("Description", ""))
        self._switch()

    def delete(self) -> None:
        self.send("ScheduleKeyDeletion", KeyId=self.id, **pick(self.properties, "PendingWindowInDays"))

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.arn(f"key/{self.id}"), "KeyId": self.id}

    def _switch(self) -> None:
        """An asymmetric key does not rotate, and AWS refuses to be told so or not."""
        rotates = str(self.properties.get("EnableKeyRotation", False)).lower() == "true"
        enabled = str(self.properties.get("Enabled", True)).lower() == "true"
        if rotates or self.properties.get("KeySpec", SYMMETRIC) == SYMMETRIC:
            self.send("EnableKeyRotation" if rotates else "DisableKeyRotation", KeyId=self.id)
        self.send("EnableKey" if enabled else "DisableKey", KeyId=self.id)


class Alias(ResourceType):
    type = "AWS::KMS::Alias"
    service = "kms"
    creates = "CreateAlias"
    names_itself = "AliasName"

    def create(self) -> str:
        self.send("CreateAlias", **self.properties)
        return self.name

    def update(self, _: Properties) -> None:
        self.send("UpdateAlias", **self.properties)

    def delete(self) -> None:
        self.send("DeleteAlias", AliasName=self.name)


class Table(ResourceType):
    type = "AWS::DynamoDB::Table"
    service = "dynamodb"
    creates = "CreateTable"
    also = frozenset({"PointInTimeRecoverySpecification", "TimeToLiveSpecification"})
    names_itself = "TableName"
    create_only = frozenset({"KeySchema", "LocalSecondaryIndexes"})

    def create(self) -> str:
        self.send("CreateTable", **self._request(without(self.properties, *self.also)))
        self._set_others({})
        return self.name

    def update(self, old: Properties) -> None:
        names = (
            "BillingMode",
            "DeletionProtectionEnabled",
            "ProvisionedThroughput",
            "SSESpecification",
            "StreamSpecification",
        )
        self.refuse_other_changes(old, *names, *self.also)
        touched = pick(self.properties, *sorted(self.changed(old) & set(names)))
        if touched:
            self.send("UpdateTable", TableName=self.name, **self._request(touched))
        self._set_others(old)

    def delete(self) -> None:
        self.send("DeleteTable", TableName=self.name)

    def attributes(self) -> dict[str, Any]:
        table = self.send("DescribeTable", TableName=self.name)["Table"]
        stream = {"StreamArn": table["LatestStreamArn"]} if "LatestStreamArn" in table else {}
        return {"Arn": table["TableArn"], **stream}

    def _request(self, properties: dict[str, Any]) -> dict[str, Any]:
        """CloudFormation's SSEEnabled is the API's Enabled."""
        if "SSESpecification" not in properties:
            return properties
        specification = dict(properties["SSESpecification"])
        return {
            **properties,
            "SSESpecification": {"Enabled": specification.pop("SSEEnabled"), **specification},
        }

    def _set_others(self, old: Properties) -> None:
        touched = self.changed(old)
        if "PointInTimeRecoverySpecification" in touched:
            wanted = self.properties.get(
                "PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": False}
            )
            self.send("UpdateContinuousBackups", TableName=self.name, PointInTimeRecoverySpecification=wanted)
        if "TimeToLiveSpecification" in touched:
            before = old.get("TimeToLiveSpecification", {})
            wanted = self.properties.get("TimeToLiveSpecification", {**before, "Enabled": False})
            self.send("UpdateTimeToLive", TableName=self.name, TimeToLiveSpecification=wanted)


class Repository(ResourceType):
    type = "AWS::ECR::Repository"
    service = "ecr"
    creates = "CreateRepository"
    also = frozenset({"EmptyOnDelete", "LifecyclePolicy", "RepositoryPolicyText"})
    names_itself = "RepositoryName"
    lower_case = True
    create_only = frozenset({"EncryptionConfiguration"})

    def create(self) -> str:
        self.send("CreateRepository", **without(self.properties, *self.also))
        self._set_policies({})
        return self.name

    def update(self, old: Properties) -> None:
        p, target = self.properties, {"repositoryName": self.name}
        self.refuse_other_changes(old, "ImageScanningConfiguration", "ImageTagMutability", *self.also)
        self.send(
            "PutImageTagMutability", **target, imageTagMutability=p.get("ImageTagMutability", "MUTABLE")
        )
        scanning = p.get("ImageScanningConfiguration", {"ScanOnPush": False})
        self.send("PutImageScanningConfiguration", **target, imageScanningConfiguration=scanning)
        self._set_policies(old)

    def delete(self) -> None:
        force = self.properties.get("EmptyOnDelete", False)
        self.send("DeleteRepository", repositoryName=self.name, force=force)

    def attributes(self) -> dict[str, Any]:
        registry = f"{self.account.id}.dkr.ecr.{self.account.region}.amazonaws.com"
        return {"Arn": self.arn(f"repository/{self.name}"), "RepositoryUri": f"{registry}/{self.name}"}

    def _set_policies(self, old: Properties) -> None:
        touched = self.changed(old)
        if "LifecyclePolicy" in touched:
            rules = self.properties.get("LifecyclePolicy", {}).get("LifecyclePolicyText")
            operation = "PutLifecyclePolicy" if rules else "DeleteLifecyclePolicy"
            self.send(
                operation, repositoryName=self.name, **({"lifecyclePolicyText": rules} if rules else {})
            )
        if "RepositoryPolicyText" in touched:
            policy = self.properties.get("RepositoryPolicyText")
            operation = "SetRepositoryPolicy" if policy else "DeleteRepositoryPolicy"
            self.send(operation, repositoryName=self.name, **({"policyText": policy} if policy else {}))


class StoredParameter(ResourceType):
    type = "AWS::SSM::Parameter"
    service = "ssm"
    also = frozenset({"AllowedPattern", "DataType", "Description", "Name", "Tags", "Tier", "Type", "Value"})
    names_itself = "Name"

    def create(self) -> str:
        self.send("PutParameter", **self.properties)
        return self.name

    def update(self, _: Properties) -> None:
        """AWS's own handler writes the template's value over whatever is there, whatever property changed."""
        self.send("PutParameter", Overwrite=True, **without(self.properties, "Tags"))

    def delete(self) -> None:
        self.send("DeleteParameter", Name=self.name)

    def attributes(self) -> dict[str, Any]:
        return {"Type": self.properties["Type"], "Value": self.properties["Value"]}


TYPES = (Key, Alias, Table, Repository, StoredParameter)

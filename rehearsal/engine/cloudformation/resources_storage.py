"""CloudFormation types of S3: buckets and their policies."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.cloudformation.resources import Properties, ResourceType, document


class Bucket(ResourceType):
    type = "AWS::S3::Bucket"
    service = "s3"
    names_itself = "BucketName"
    longest_name = 63
    lower_case = True
    tags_itself = True
    # LoggingConfiguration is accepted and does nothing: no access logs are written here.
    also = frozenset(
        {
            "BucketName", "BucketEncryption", "VersioningConfiguration", "PublicAccessBlockConfiguration",
            "LifecycleConfiguration", "LoggingConfiguration", "NotificationConfiguration", "OwnershipControls", "Tags",
        }
    )  # fmt: skip

    def create(self) -> str:
        region = self.account.region
        elsewhere = (
            {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
        )
        self.send("CreateBucket", Bucket=self.name, **elsewhere)
        self._configure({})
        return self.name

    def update(self, old: Properties) -> None:
        self._configure(old)

    def delete(self) -> None:
        self.send("DeleteBucket", Bucket=self.name)

    def attributes(self) -> dict[str, Any]:
        return {
            "Arn": f"arn:aws:s3:::{self.name}",
            "DomainName": f"{self.name}.s3.amazonaws.com",
            "RegionalDomainName": f"{self.name}.s3.{self.account.region}.amazonaws.com",
        }

    def _configure(self, old: Properties) -> None:
        for name in sorted(self.changed(old) - {"BucketName"}):
            value = self.properties.get(name)
            match name:
                case "VersioningConfiguration":
                    self._put("BucketVersioning", VersioningConfiguration=value or {"Status": "Suspended"})
                case "NotificationConfiguration":
                    self._put(
                        "BucketNotificationConfiguration",
                        NotificationConfiguration=_notifications(self, value),
                    )
                case "BucketEncryption":
                    self._set("BucketEncryption", "ServerSideEncryptionConfiguration", _encryption(value))
                case "PublicAccessBlockConfiguration":
                    self._set("PublicAccessBlock", name, value)
                case "LifecycleConfiguration":
                    self._set(
                        "BucketLifecycleConfiguration", name, _lifecycle(self, value), gone="BucketLifecycle"
                    )
                case "OwnershipControls":
                    self._set("BucketOwnershipControls", name, value)
                case "Tags":
                    self._set("BucketTagging", "Tagging", {"TagSet": value} if value else None)

    def _put(self, what: str, **configuration: Any) -> None:
        self.send(f"Put{what}", Bucket=self.name, **configuration)

    def _set(self, what: str, member: str, value: Any, *, gone: str | None = None) -> None:
        if value is None:
            self.send(f"Delete{gone or what}", Bucket=self.name)
        else:
            self._put(what, **{member: value})


def _encryption(value: Any) -> Any:
    """CloudFormation's ServerSideEncryptionByDefault is the API's ApplyServerSideEncryptionByDefault."""
    if value is None:
        return None
    renamed = {
        "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
        "KMSMasterKeyID": "KMSMasterKeyID",
    }
    rules = value["ServerSideEncryptionConfiguration"]
    return {"Rules": [{renamed.get(key, key): setting for key, setting in rule.items()} for rule in rules]}


def _lifecycle(bucket: Bucket, value: Any) -> Any:
    return {"Rules": [_lifecycle_rule(bucket, rule) for rule in value["Rules"]]} if value else None


def _lifecycle_rule(bucket: Bucket, rule: dict[str, Any]) -> dict[str, Any]:
    as_they_are = {"Id", "Status", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"}
    strange = rule.keys() - as_they_are - {"ExpirationInDays", "Prefix"}
    if strange:
        raise bucket.unsupported(f"property LifecycleConfiguration.Rules[].{', '.join(sorted(strange))}")
    sent = {("ID" if key == "Id" else key): setting for key, setting in rule.items() if key in as_they_are}
    if "ExpirationInDays" in rule:
        sent["Expiration"] = {"Days": rule["ExpirationInDays"]}
    return {**sent, "Filter": {"Prefix": rule.get("Prefix", "")}}


def _notifications(bucket: Bucket, value: Any) -> dict[str, Any]:
    """EventBridge is the one receiver that the local account tells about objects."""
    strange = set(value or {}) - {"EventBridgeConfiguration"}
    if strange:
        raise bucket.unsupported(f"property NotificationConfiguration.{', '.join(sorted(strange))}")
    wanted = (value or {}).get("EventBridgeConfiguration", {"EventBridgeEnabled": False})
    on = str(wanted.get("EventBridgeEnabled", True)).lower() == "true"
    return {"EventBridgeConfiguration": {}} if on else {}


class BucketPolicy(ResourceType):
    type = "AWS::S3::BucketPolicy"
    service = "s3"
    also = frozenset({"Bucket", "PolicyDocument"})
    create_only = frozenset({"Bucket"})

    def create(self) -> str:
        self.send(
            "PutBucketPolicy",
            Bucket=self.properties["Bucket"],
            Policy=document(self.properties["PolicyDocument"]),
        )
        return str(self.properties["Bucket"])

    def update(self, _: Properties) -> None:
        self.create()

    def delete(self) -> None:
        self.send("DeleteBucketPolicy", Bucket=self.properties["Bucket"])


TYPES = (Bucket, BucketPolicy)

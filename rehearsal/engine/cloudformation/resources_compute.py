"""CloudFormation types that act: IAM, Lambda, and the log groups of both."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from rehearsal.engine import function_roles
from rehearsal.engine.cloudformation.resources import (
    EVERYTHING,
    Properties,
    ResourceFailed,
    ResourceType,
    document,
    pick,
    without,
)


class Role(ResourceType):
    type = "AWS::IAM::Role"
    service = "iam"
    creates = "CreateRole"
    also = frozenset({"ManagedPolicyArns", "Policies"})
    names_itself = "RoleName"
    longest_name = 64
    create_only = frozenset({"Path"})

    def create(self) -> str:
        self.send("CreateRole", **without(self.properties, *self.also))
        self._set_policies({})
        return self.name

    def update(self, old: Properties) -> None:
        p, who = self.properties, {"RoleName": self.name}
        self.send("UpdateAssumeRolePolicy", **who, PolicyDocument=document(p["AssumeRolePolicyDocument"]))
        described = {
            "Description": p.get("Description", ""),
            "MaxSessionDuration": p.get("MaxSessionDuration", 3600),
        }
        self.send("UpdateRole", **who, **described)
        if "PermissionsBoundary" in p:
            self.send("PutRolePermissionsBoundary", **who, PermissionsBoundary=p["PermissionsBoundary"])
        elif "PermissionsBoundary" in old:
            self.send("DeleteRolePermissionsBoundary", **who)
        self._set_policies(old)

    def delete(self) -> None:
        nothing = type(self)(self.place, {"RoleName": self.name}, self.id)
        nothing._set_policies(self.properties)
        self.send("DeleteRole", RoleName=self.name)

    def attributes(self) -> dict[str, Any]:
        role = self.send("GetRole", RoleName=self.name)["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    def _set_policies(self, old: Properties) -> None:
        managed, before = (
            set(self.properties.get("ManagedPolicyArns", [])),
            set(old.get("ManagedPolicyArns", [])),
        )
        for arn in sorted(before - managed):
            self.send("DetachRolePolicy", RoleName=self.name, PolicyArn=arn)
        for arn in sorted(managed - before):
            self.send("AttachRolePolicy", RoleName=self.name, PolicyArn=arn)
        inline = {
            policy["PolicyName"]: policy["PolicyDocument"] for policy in self.properties.get("Policies", [])
        }
        for policy in old.get("Policies", []):
            if policy["PolicyName"] not in inline:
                self.send("DeleteRolePolicy", RoleName=self.name, PolicyName=policy["PolicyName"])
        for name, statements in inline.items():
            self.send(
                "PutRolePolicy", RoleName=self.name, PolicyName=name, PolicyDocument=document(statements)
            )


class InlinePolicy(ResourceType):
    type = "AWS::IAM::Policy"
    service = "iam"
    also = frozenset({"PolicyDocument", "PolicyName", "Roles"})

    def create(self) -> str:
        p = self.properties
        for role in p.get("Roles", []):
            self.send(
                "PutRolePolicy",
                RoleName=role,
                PolicyName=p["PolicyName"],
                PolicyDocument=document(p["PolicyDocument"]),
            )
        return str(p["PolicyName"])

    def update(self, old: Properties) -> None:
        kept = self.properties.get("Roles", []) if old["PolicyName"] == self.properties["PolicyName"] else []
        self._remove(old["PolicyName"], [role for role in old.get("Roles", []) if role not in kept])
        self.create()

    def delete(self) -> None:
        self._remove(self.properties["PolicyName"], self.properties.get("Roles", []))

    def _remove(self, name: str, roles: list[str]) -> None:
        for role in roles:
            self.send("DeleteRolePolicy", RoleName=role, PolicyName=name)


CONFIGURATION = (
    "DeadLetterConfig", "Description", "Environment", "Handler", "LoggingConfig", "MemorySize", "Role", "Runtime",
    "Timeout",
)  # fmt: skip
WHEN_ABSENT = {"Description": "", "Environment": {"Variables": {}}, "MemorySize": 128, "Timeout": 3}


class Function(ResourceType):
    type = "AWS::Lambda::Function"
    service = "lambda"
    creates = "CreateFunction"
    names_itself = "FunctionName"
    longest_name = 64
    create_only = frozenset({"PackageType"})

    def create(self) -> str:
        own = {"stack-name": self.stack, "logical-id": self.logical_id}
        tags = [{"Key": f"aws:cloudformation:{key}", "Value": value} for key, value in own.items()]
        tagged = {"Tags": [*self.properties.get("Tags", []), *tags]}
        self._check_role()
        self.send("CreateFunction", **{**self.properties, **tagged, "Code": self._code()})
        return self.name

    def update(self, old: Properties) -> None:
        self.refuse_other_changes(old, "Code", *CONFIGURATION)
        if "Code" in self.changed(old):
            self.send("UpdateFunctionCode", FunctionName=self.name, **self._code())
        wanted = {**WHEN_ABSENT, **pick(self.properties, *CONFIGURATION)}
        self._check_role()
        self.send("UpdateFunctionConfiguration", FunctionName=self.name, **wanted)

    def delete(self) -> None:
        self.send("DeleteFunction", FunctionName=self.name)

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.arn(f"function:{self.name}")}

    def _check_role(self) -> None:
        refused = function_roles.refusal(self.account, self.properties)
        if refused:
            raise ResourceFailed(refused)

    def _code(self) -> dict[str, Any]:
        """Source written into the template becomes a package of one file, as CloudFormation makes it."""
        code = dict(self.properties["Code"])
        if "ZipFile" in code:
            package = io.BytesIO()
            with zipfile.ZipFile(package, "w") as archive:
                archive.writestr(zipfile.ZipInfo("index.py"), code["ZipFile"])
            code["ZipFile"] = package.getvalue()
        return code


class Permission(ResourceType):
    type = "AWS::Lambda::Permission"
    service = "lambda"
    creates = "AddPermission"
    create_only = EVERYTHING

    def create(self) -> str:
        statement = self.generated_name(str(sorted(self.properties.items())))
        self.send("AddPermission", StatementId=statement, **self.properties)
        return statement

    def delete(self) -> None:
        self.send("RemovePermission", FunctionName=self.properties["FunctionName"], StatementId=self.id)


class EventSourceMapping(ResourceType):
    type = "AWS::Lambda::EventSourceMapping"
    service = "lambda"
    creates = "CreateEventSourceMapping"
    create_only = frozenset({"EventSourceArn", "StartingPosition"})

    def create(self) -> str:
        refused = function_roles.refusal_to_poll(self.account, self.properties)
        if refused:
            raise ResourceFailed(refused)
        return str(self.send("CreateEventSourceMapping", **self.properties)["UUID"])

    def update(self, old: Properties) -> None:
        names = (
            "BatchSize",
            "Enabled",
            "FunctionName",
            "FunctionResponseTypes",
            "MaximumBatchingWindowInSeconds",
        )
        self.refuse_other_changes(old, *names)
        self.send("UpdateEventSourceMapping", UUID=self.id, **pick(self.properties, *names))

    def delete(self) -> None:
        self.send("DeleteEventSourceMapping", UUID=self.id)

    def attributes(self) -> dict[str, Any]:
        arn = self.arn(f"event-source-mapping:{self.id}")
        return {"Arn": arn, "EventSourceMappingArn": arn, "Id": self.id}


class EventInvokeConfig(ResourceType):
    type = "AWS::Lambda::EventInvokeConfig"
    service = "lambda"
    creates = "PutFunctionEventInvokeConfig"
    create_only = frozenset({"FunctionName", "Qualifier"})

    def create(self) -> str:
        self.send("PutFunctionEventInvokeConfig", **self.properties)
        return f"{self.properties['FunctionName']}|{self.properties['Qualifier']}"

    def update(self, _: Properties) -> None:
        self.delete()  # moto would keep the old configuration in front of the new one
        self.create()

    def delete(self) -> None:
        self.send("DeleteFunctionEventInvokeConfig", **pick(self.properties, "FunctionName", "Qualifier"))


class LogGroup(ResourceType):
    type = "AWS::Logs::LogGroup"
    service = "logs"
    creates = "CreateLogGroup"
    also = frozenset({"RetentionInDays"})
    names_itself = "LogGroupName"
    create_only = frozenset({"LogGroupClass"})

    def create(self) -> str:
        self.send("CreateLogGroup", **without(self.properties, "RetentionInDays"))
        self._retain()
        return self.name

    def update(self, old: Properties) -> None:
        self.refuse_other_changes(old, "KmsKeyId", "RetentionInDays")
        if "KmsKeyId" in self.changed(old):
            key = pick(self.properties, "KmsKeyId")
            self.send("AssociateKmsKey" if key else "DisassociateKmsKey", logGroupName=self.name, **key)
        self._retain()

    def delete(self) -> None:
        self.send("DeleteLogGroup", logGroupName=self.name)

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.arn(f"log-group:{self.name}:*")}

    def _retain(self) -> None:
        days = pick(self.properties, "RetentionInDays")
        self.send("PutRetentionPolicy" if days else "DeleteRetentionPolicy", logGroupName=self.name, **days)


TYPES = (Role, InlinePolicy, Function, Permission, EventSourceMapping, EventInvokeConfig, LogGroup)

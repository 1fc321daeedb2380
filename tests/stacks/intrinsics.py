"""CloudFormation's intrinsic functions over a made-up account, so that tests compare ARNs and names, not tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

ACCOUNT, REGION, PARTITION = "123456789012", "us-east-1", "aws"
NOTHING = object()
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": PARTITION,
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": NOTHING,
}
ARNS = {
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/",
    "AWS::S3::Bucket": "arn:aws:s3:::",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:",
    "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:",
    "AWS::ECR::Repository": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/",
}


@dataclass(frozen=True)
class World:
    """All stacks of one deployment; `parameters` are the values of template parameters, by stack and name."""

    templates: dict[str, dict[str, Any]]
    parameters: dict[tuple[str, str], Any] = field(default_factory=dict)

    def under(self, stack: str, **parameters: Any) -> World:
        """The same stacks, one of them with these parameters."""
        given = {(stack, name): value for name, value in parameters.items()}
        return replace(self, parameters={**self.parameters, **given})

    def resolve(self, stack: str, value: Any) -> Any:
        """The value without intrinsics; properties that are AWS::NoValue are gone."""
        if isinstance(value, list):
            return [kept for kept in (self.resolve(stack, item) for item in value) if kept is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self._ref(stack, argument)
            if name in INTRINSICS:
                return INTRINSICS[name](self, stack, argument)
        resolved = {name: self.resolve(stack, item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not NOTHING}

    def holds(self, stack: str, condition: str) -> bool:
        """Whether a template's condition is met under the parameters' values."""
        return bool(self.resolve(stack, self.templates[stack]["Conditions"][condition]))

    def _ref(self, stack: str, name: str) -> Any:
        if name in PSEUDO:
            return PSEUDO[name]
        template = self.templates[stack]
        if name in template.get("Parameters", {}):
            declared = template["Parameters"][name]
            value = self.parameters.get((stack, name), declared["Default"])
            return value.split(",") if declared["Type"] == "CommaDelimitedList" else value
        kind = template["Resources"][name]["Type"]
        physical = self._name(stack, name)
        if kind == "AWS::SNS::Topic":
            return ARNS[kind] + physical
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{physical}"
        return physical

    def _name(self, stack: str, logical_id: str) -> str:
        """The physical name that the template gives, or one that is generated from the stack's name."""
        resource = self.templates[stack]["Resources"][logical_id]
        given = resource.get("Properties", {}).get(resource["Type"].rsplit("::", 1)[1] + "Name")
        return str(self.resolve(stack, given)) if given else f"{stack}-{logical_id}".lower()

    def _get_att(self, stack: str, argument: Any) -> str:
        logical_id, attribute = argument.split(".") if isinstance(argument, str) else argument
        name, kind = self._name(stack, logical_id), self.templates[stack]["Resources"][logical_id]["Type"]
        if attribute == "Arn":
            return ARNS[kind] + name + (":*" if kind == "AWS::Logs::LogGroup" else "")
        if attribute == kind.rsplit("::", 1)[1] + "Name":
            return name
        raise NotImplementedError(f"Fn::GetAtt {logical_id}.{attribute} of {kind}")

    def _import(self, stack: str, argument: Any) -> Any:
        export = self.resolve(stack, argument)
        for owner, template in self.templates.items():
            for output in template.get("Outputs", {}).values():
                if output.get("Export", {}).get("Name") == export:
                    return self.resolve(owner, output["Value"])
        raise LookupError(f"no stack exports {export}")

    def _sub(self, stack: str, argument: str) -> str:
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(self._ref(stack, found[1])), argument)


def _join(world: World, stack: str, argument: Any) -> str:
    separator, values = argument
    return str(separator).join(str(item) for item in world.resolve(stack, values))


def _select(world: World, stack: str, argument: Any) -> Any:
    index, values = argument
    return world.resolve(stack, values)[int(index)]


def _split(world: World, stack: str, argument: Any) -> list[str]:
    separator, text = argument
    return str(world.resolve(stack, text)).split(separator)


def _if(world: World, stack: str, argument: Any) -> Any:
    condition, then, otherwise = argument
    return world.resolve(stack, then if world.holds(stack, condition) else otherwise)


def _equals(world: World, stack: str, argument: Any) -> bool:
    left, right = world.resolve(stack, argument)
    return bool(left == right)


INTRINSICS: dict[str, Callable[[World, str, Any], Any]] = {
    "Fn::GetAtt": World._get_att,
    "Fn::ImportValue": World._import,
    "Fn::Sub": World._sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Condition": lambda world, stack, argument: world.holds(stack, argument),
    "Fn::And": lambda world, stack, argument: all(world.resolve(stack, one) for one in argument),
    "Fn::Not": lambda world, stack, argument: not world.resolve(stack, argument[0]),
}

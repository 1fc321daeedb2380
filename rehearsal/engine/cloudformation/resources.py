"""What every CloudFormation resource type shares: its API calls, names, tags, and what it does not know."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import botocore.session
from botocore import xform_name
from botocore.model import Shape

from rehearsal.engine.account import Unsupported

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Properties = Mapping[str, Any]
EVERYTHING = frozenset({"*"})


class ResourceFailed(Exception):
    """AWS could not make the resource what the template asks for."""


class Given(dict[str, Any]):
    """Properties as given; one that is needed and missing fails the resource, at any depth."""

    @classmethod
    def of(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return cls({key: cls.of(item) for key, item in value.items()})
        return [cls.of(item) for item in value] if isinstance(value, list) else value

    def __missing__(self, key: str) -> Any:
        raise ResourceFailed(f"Properties validation failed: #: required key [{key}] not found")


@dataclass(frozen=True)
class Place:
    """Where a resource stands."""

    account: Account
    stack: str
    logical_id: str


class ResourceType(ABC):
    """A CloudFormation type as API calls. An instance is one resource with the properties it shall have.

    The properties hold the resource's name, given or generated. `id` is what Ref gives, once it is created.
    """

    type: ClassVar[str]
    service: ClassVar[str]
    creates: ClassVar[str | None] = None
    """The API operation whose input members are also properties of the type."""
    also: ClassVar[frozenset[str]] = frozenset()
    """Properties that are no members of that input."""
    names_itself: ClassVar[str | None] = None
    """The property that names the resource; without it CloudFormation makes a name up."""
    longest_name: ClassVar[int] = 255
    lower_case: ClassVar[bool] = False
    tags_itself: ClassVar[bool] = False
    """Whether `update` also changes the tags."""
    create_only: ClassVar[frozenset[str]] = frozenset()
    """Properties whose change replaces the resource; EVERYTHING but the tags for some types."""

    def __init__(self, place: Place, properties: Properties, physical_id: str = "") -> None:
        self.place, self.properties, self.id = place, Given.of(properties), physical_id
        self.account, self.stack, self.logical_id = place.account, place.stack, place.logical_id

    @abstractmethod
    def create(self) -> str:
        """Create the resource and return its physical id."""

    @abstractmethod
    def delete(self) -> None: ...

    def update(self, old: Properties) -> None:
        """Change the resource in place, from its old properties to `self.properties`."""
        raise self.unsupported(f"update of {', '.join(sorted(self.changed(old)))} in place")

    def is_busy(self) -> bool:
        """Whether the resource is still between two states after `create` or `update`."""
        return False

    def prove(self) -> None:
        """Fail if the resource, now that it has settled, is not what the template asks for."""
        return

    def attributes(self) -> dict[str, Any]:
        """What Fn::GetAtt gives."""
        return {}

    @property
    def name(self) -> str:
        assert self.names_itself
        return str(self.properties[self.names_itself])

    def changed(self, old: Properties) -> set[str]:
        """The names of the properties that differ."""
        new = self.properties
        return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}

    def is_replaced(self, old: Properties) -> bool:
        create_only = self.create_only | ({self.names_itself} if self.names_itself else set())
        if create_only >= EVERYTHING:
            return bool(self.changed(old) - {"Tags"})
        return bool(self.changed(old) & create_only)

    def generated_name(self, token: str) -> str:
        """Legal, unique and the same in every run: stack, logical id, and a hash of `token`."""
        suffix = hashlib.sha256(token.encode()).hexdigest()[:12].upper()
        stem = f"{self.stack}-{self.logical_id}"[: self.longest_name - len(suffix) - 1].rstrip("-")
        name = f"{stem}-{suffix}"
        return name.lower() if self.lower_case else name

    def send(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Call an AWS API with template values, which take the types that the API declares."""
        shape = _input_shape(self.service, operation)
        call = getattr(self.account.client(self.service), xform_name(operation))
        try:
            answer: dict[str, Any] = call(**self._coerced(shape, parameters, operation))
        except NotImplementedError as error:
            raise self.unsupported(f"{self.service} {operation}") from error
        except KeyError as error:  # moto refuses some values in Python's words only
            missing = f"required key [{error.args[0]}] not found"
            raise ResourceFailed(f"Properties validation failed: #: {missing}") from error
        except ValueError as error:
            raise ResourceFailed(f"{operation}: {error}") from error
        return answer

    def arn(self, resource: str) -> str:
        return f"arn:aws:{self.service}:{self.account.region}:{self.account.id}:{resource}"

    def unsupported(self, what: str) -> Unsupported:
        return Unsupported(
            f"{self.type} ({self.logical_id}) in stack {self.stack}: {what}. The local account lacks it; build it "
            f"in {type(self).__module__.replace('.', '/')}.py"
        )

    def check(self) -> None:
        """Refuse by name what would be ignored in silence."""
        known = {name.lower() for name in self.also}
        if self.creates:
            known |= {name.lower() for name in _input_shape(self.service, self.creates).members}
        strange = [name for name in self.properties if name.lower() not in known]
        if strange:
            raise self.unsupported(f"property {', '.join(strange)}")

    def refuse_other_changes(self, old: Properties, *handled: str) -> None:
        """Refuse by name an update that would change nothing."""
        others = self.changed(old) - set(handled) - {"Tags"}
        if others:
            raise self.unsupported(f"update of {', '.join(sorted(others))} in place")

    def _coerced(self, shape: Shape, value: Any, at: str) -> Any:
        match shape.type_name:
            case "structure":
                return self._structure(shape, value, at)
            case "list" if isinstance(value, dict):  # tags as a map
                return [{"Key": key, "Value": text} for key, text in value.items()]
            case "list":
                return [self._coerced(shape.member, item, f"{at}[]") for item in value]
            case "map" if isinstance(value, list):  # tags as a list
                return {tag["Key"]: tag["Value"] for tag in value}
            case "map":
                return {key: self._coerced(shape.value, item, f"{at}.{key}") for key, item in value.items()}
            case _:
                return _scalar(shape.type_name, value)

    def _structure(self, shape: Shape, value: Mapping[str, Any], at: str) -> dict[str, Any]:
        members = {name.lower(): name for name in shape.members}
        if "tagkey" in members and "Key" in value:
            value = {"TagKey": value["Key"], "TagValue": value["Value"]}
        strange = [key for key in value if key.lower() not in members]
        if strange:
            raise self.unsupported(f"property {at}.{', '.join(strange)}")
        return {
            members[key.lower()]: self._coerced(shape.members[members[key.lower()]], item, f"{at}.{key}")
            for key, item in value.items()
        }


def pick(properties: Properties, *names: str) -> dict[str, Any]:
    """Those of the named properties that are given."""
    return {name: properties[name] for name in names if name in properties}


def without(properties: Properties, *names: str) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in names}


def document(value: Any) -> str:
    """A policy or pattern as the APIs want it: text."""
    return value if isinstance(value, str) else json.dumps(value)


def _scalar(type_name: str, value: Any) -> Any:
    match type_name:
        case "integer" | "long":
            return int(value)
        case "float" | "double":
            return float(value)
        case "boolean":
            return str(value).lower() == "true"
        case "string" if isinstance(value, bool):
            return str(value).lower()
        case "string":
            return json.dumps(value) if isinstance(value, dict | list) else str(value)
    return value


@cache
def _session() -> Any:
    return botocore.session.get_session()


@cache
def _input_shape(service: str, operation: str) -> Any:
    return _session().get_service_model(service).operation_model(operation).input_shape

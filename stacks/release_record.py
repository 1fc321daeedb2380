"""What each way to serve reads of a release: its record's key, its parts, and the name of what runs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnCondition, CfnDeletionPolicy, CfnOutput, CfnParameter, CfnResource, Fn, Stack
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from config.schema import Config
from domain.manifest import NO_PROOF, PROOF_VARIABLES
from domain.names import MODE_PARAMETER, NO_RELEASE, PROOF_PARAMETER, RELEASE_PARAMETER, Names
from stacks.storage import StorageStack

FIRST_TYPE = 4
"""Where a record's instance types begin; before them stand release id, model data, image and package."""


class ReleaseStack(Stack):
    """What every way to serve begins with: the record of the release, and the one mode that the stack keeps."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Config, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self.add_stack_dependency(storage)
        self.names = Names(config.name, config.environment)
        self.release = _release_parameter(self, self.names)
        _mode_parameter(self, config.serving.mode)
        self.release_id = Fn.select(0, self.release)


def _release_parameter(stack: Stack, names: Names) -> list[str]:
    """The record of the release as a list; under `.../none` there is nothing to run."""
    return CfnParameter(
        stack,
        RELEASE_PARAMETER,
        type="AWS::SSM::Parameter::Value<List<String>>",
        default=names.release_parameter(NO_RELEASE),
        description="The key of the release record that is live",
    ).value_as_list


def container_of(
    stack: Stack, release: list[str], environment: Mapping[str, str]
) -> sagemaker.CfnModel.ContainerDefinitionProperty:
    """What runs, as the record says; `environment` is what a way to serve adds."""
    release_id, model_data, image, package_arn = (Fn.select(i, release) for i in range(FIRST_TYPE))
    return sagemaker.CfnModel.ContainerDefinitionProperty(
        image=image,
        model_data_url=model_data,
        environment={
            "TIDELINE_MODEL": package_arn,
            "TIDELINE_RELEASE": release_id,
            **environment,
            **_proof_environment(stack),
        },
    )


def keep_until_judged(*resources: CfnResource) -> None:
    """What a release replaces stays until `record_release` has seen what runs now, and collects it.

    CloudFormation may take a rollback for a success, and would remove what the endpoint went back to.
    """
    for resource in resources:
        resource.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
        resource.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE


def _proof_environment(stack: Stack) -> dict[str, str]:
    """What the container holds the model against before it answers; `-` of one that was never signed.

    It is no part of the release record: records of before have no room for it, and cannot change.
    """
    proof = CfnParameter(
        stack,
        PROOF_PARAMETER,
        type="CommaDelimitedList",
        default=NO_PROOF.to_parameter(),
        description="Manifest, signature and public key of the model that is live",
    ).value_as_list
    return {name: Fn.select(number, proof) for number, name in enumerate(PROOF_VARIABLES)}


def _mode_parameter(stack: Stack, mode: str) -> None:
    """A deploy keeps a parameter's value, and this template allows its own alone: CloudFormation refuses a change."""
    given = CfnParameter(
        stack,
        MODE_PARAMETER,
        default=mode,
        allowed_values=[mode],
        constraint_description="serving.mode of a live deployment cannot change; see docs/modes.md",
        description="serving.mode, which a live deployment keeps",
    )
    CfnOutput(stack, "Mode", value=given.value_as_string, description="How the model is served")


def has_release(stack: Stack, release_id: str) -> CfnCondition:
    is_none = Fn.condition_equals(release_id, NO_RELEASE)
    return CfnCondition(stack, "HasRelease", expression=Fn.condition_not(is_none))


def shape_of(stack: Stack, *parts: Any) -> str:
    """A hash of all that a release does not say: neither resource can change, so a new shape needs a new name."""
    rendered = json.dumps(stack.resolve(list(parts)), sort_keys=True)
    return hashlib.sha256(rendered.encode()).hexdigest()[:8]

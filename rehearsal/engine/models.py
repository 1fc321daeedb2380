"""CreateModel: moto keeps the model; what AWS checks of it first is here."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from rehearsal.engine import images, roles
from rehearsal.engine.account import Account
from rehearsal.engine.execution_roles import SAGEMAKER
from rehearsal.engine.jobs import require_assumable
from rehearsal.engine.moto_seams import sagemaker as seam
from rehearsal.engine.s3_transfer import split


class Models:
    """The checks of CreateModel."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def create(self, request: dict[str, Any]) -> object:
        role_arn = request.get("ExecutionRoleArn")
        if role_arn is None:
            raise seam.error("ValidationException", "CreateModel needs ExecutionRoleArn for a hosted model")
        require_assumable(self._account, role_arn)
        primary = request.get("PrimaryContainer")
        for container in [primary] if primary else request.get("Containers", []):
            self._check_image(container)
            self._check_data(container, role_arn)
        return seam.PASS_ON

    def _check_image(self, container: dict[str, Any]) -> None:
        if "Image" in container:
            try:
                images.resolve(self._account, container["Image"])
            except images.ImageNotFound as error:
                raise seam.error("ValidationException", str(error)) from error

    def _check_data(self, container: dict[str, Any], role_arn: str) -> None:
        uri = container.get("ModelDataUrl")
        if uri is None:
            return
        bucket, key = split(uri)
        try:
            roles.client(self._account, role_arn, SAGEMAKER, "s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise seam.error(
                "ValidationException",
                f'Could not access model data at {uri}. Please ensure that the role "{role_arn}" exists and '
                'that its trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                f'"{SAGEMAKER}". Also ensure that the role has "s3:GetObject" permissions and that the object '
                f"is located in {self._account.region}.",
            ) from error

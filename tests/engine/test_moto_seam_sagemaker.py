"""What the SageMaker seam relies on in moto, and that it leaves moto as it was."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores
from moto.sagemaker.exceptions import SagemakerClientError
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from rehearsal.engine import Account
from rehearsal.engine.moto_seams import sagemaker as seam
from tests.engine.sagemaker_world import START

ABSENT = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/none/execution/abcdefghijkl"


def test_moto_is_as_before_once_the_account_is_closed(tmp_path: Path) -> None:
    before = dict(vars(SageMakerResponse)), dict(vars(SageMakerRuntimeResponse))
    with Account(start=START, directory=tmp_path):
        assert dict(vars(SageMakerResponse)) != before[0]

    assert (dict(vars(SageMakerResponse)), dict(vars(SageMakerRuntimeResponse))) == before
    with mock_aws():
        runtime = boto3.client("sagemaker-runtime", "us-east-1")
        assert runtime.invoke_endpoint(EndpointName="any", Body=b"")["Body"].read() == b"body"


def test_moto_still_dispatches_by_method_name_and_raw_body() -> None:
    assert callable(SageMakerResponse.create_training_job)
    assert callable(SageMakerRuntimeResponse.invoke_endpoint)
    assert BaseResponse.use_raw_body is False
    assert SageMakerResponse().automated_parameter_parsing
    assert camelcase_to_underscores("ListPipelineExecutionSteps") == "list_pipeline_execution_steps"
    assert ActionResult({"a": 1}).result == {"a": 1}
    assert SagemakerClientError("ACode", "a message").code == "ACode"


def test_a_method_that_moto_lacks_is_answered_and_then_missing_again(tmp_path: Path) -> None:
    assert not hasattr(SageMakerResponse, "list_pipeline_execution_steps")
    with Account(start=START, directory=tmp_path) as account:
        with pytest.raises(ClientError) as caught:
            account.client("sagemaker").list_pipeline_execution_steps(PipelineExecutionArn=ABSENT)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"
    assert not hasattr(SageMakerResponse, "list_pipeline_execution_steps")


def test_a_handler_may_pass_a_request_on_to_moto(tmp_path: Path) -> None:
    with Account(start=START, directory=tmp_path) as account:
        seam.answer(account, {"ListModels": lambda _: seam.PASS_ON})
        assert account.client("sagemaker").list_models()["Models"] == []

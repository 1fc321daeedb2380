"""Model cards: made once, by the schema, and read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.sagemaker_world import World, world

__all__ = ["world"]


def create(world: World, name: str, content: Any) -> Any:
    text = content if isinstance(content, str) else json.dumps(content)
    return world.sagemaker.create_model_card(ModelCardName=name, Content=text, ModelCardStatus="Draft")


def test_a_card_is_read_as_it_was_made_and_made_once(world: World) -> None:
    content = {"model_overview": {"model_creator": "us"}, "intended_uses": {"risk_rating": "Low"}}
    arn = create(world, "card-1", content)["ModelCardArn"]
    found = world.sagemaker.describe_model_card(ModelCardName="card-1")
    assert (found["ModelCardArn"], json.loads(found["Content"]), found["ModelCardVersion"]) == (
        arn,
        content,
        1,
    )
    names = [one["ModelCardName"] for one in world.sagemaker.list_model_cards()["ModelCardSummaries"]]
    assert names == ["card-1"]
    with pytest.raises(ClientError, match="ConflictException"):
        create(world, "card-1", content)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        world.sagemaker.describe_model_card(ModelCardName="another")


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        {"unknown": {}},
        {"intended_uses": {"risk_rating": "Fine"}},
        {"intended_uses": {"purpose_of_model": "p" * 2049}},
        {"evaluation_details": [{"datasets": []}]},
        {
            "evaluation_details": [
                {"name": "e", "metric_groups": [{"name": "g", "metric_data": [{"name": "m"}]}]}
            ]
        },
        {"additional_information": {"custom_details": {"a": 1}}},
    ],
)
def test_a_content_that_is_not_of_the_schema_is_refused(world: World, content: Any) -> None:
    with pytest.raises(ClientError, match="content of the model card"):
        create(world, "card-2", content)

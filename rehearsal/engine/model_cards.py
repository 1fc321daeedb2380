"""SageMaker model cards: made once, with a content that keeps to the schema, and read again."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from rehearsal.engine.account import Account
from rehearsal.engine.jobs import page
from rehearsal.engine.model_card_schema import SCHEMA
from rehearsal.engine.moto_seams import sagemaker as seam

SUMMARISED = ("ModelCardName", "ModelCardArn", "ModelCardStatus", "CreationTime", "LastModifiedTime")


class ModelCards:
    """The cards of an account: the API's handlers."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._cards: dict[str, dict[str, Any]] = {}

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelCardName"]
        if name in self._cards:
            raise seam.error("ConflictException", f"Model card already exists: {name}")
        try:
            jsonschema.validate(json.loads(request["Content"]), SCHEMA)
        except (ValueError, jsonschema.ValidationError) as error:
            said = getattr(error, "message", str(error))
            where = "/".join(map(str, getattr(error, "absolute_path", ())))
            raise seam.error(
                "ValidationException", f"The content of the model card: {where}: {said}"
            ) from error
        now, place = self._account.clock.now(), f"{self._account.region}:{self._account.id}"
        self._cards[name] = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "ModelCardArn": f"arn:aws:sagemaker:{place}:model-card/{name}",
            "ModelCardVersion": 1,
            "CreationTime": now,
            "CreatedBy": {},
            "LastModifiedTime": now,
        }
        return {"ModelCardArn": self._cards[name]["ModelCardArn"]}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelCardName"].rpartition("/")[2]
        if name not in self._cards:
            raise seam.error("ResourceNotFound", f"Model card {name} does not exist.")
        return self._cards[name]

    def list_cards(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("NameContains", "")
        found = [card for name, card in self._cards.items() if wanted in name]
        return page([{key: card[key] for key in SUMMARISED} for card in found], request, "ModelCardSummaries")


def install(account: Account) -> None:
    """Let this account's model cards answer."""
    cards = ModelCards(account)
    seam.answer(
        account,
        {
            "CreateModelCard": cards.create,
            "DescribeModelCard": cards.describe,
            "ListModelCards": cards.list_cards,
        },
    )

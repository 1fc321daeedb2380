"""Private touches on moto's CloudFormation: our engine answers its whole API; bucket policies are read by us alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from moto.cloudformation.exceptions import CloudFormationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from rehearsal.engine.account import Unsupported
from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Handler = Callable[[dict[str, Any]], Any]


def error(code: str, message: str) -> CloudFormationError:
    """An API error that the caller's boto3 sees as ClientError with this code and message."""
    failure = CloudFormationError(message)
    failure.code = code
    return failure


def answer(account: Account, handlers: Mapping[str, Handler]) -> None:
    """Let `handlers` (by operation name) answer CloudFormation's requests; every other operation is refused by name.

    Nothing is left to moto: its own stacks would be a second truth beside ours.
    """
    replace(
        account, CloudFormationResponse, "RESPONSE_KEY_PATH_TO_TRANSFORMER", {}
    )  # answers are in AWS's shapes
    for operation in get_service_model("cloudformation").operation_names:
        _answer(account, operation, handlers.get(operation) or _refusal(operation))


def admit_every_bucket_access(account: Account) -> None:
    """moto applies a bucket policy's Deny without its condition: `enforce_ssl` alone would refuse every request."""

    def get_permission(_: FakeBucket, *__: Any, **___: Any) -> PermissionResult:
        return PermissionResult.NEUTRAL

    replace(account, FakeBucket, "get_permission", get_permission)


def _refusal(operation: str) -> Handler:
    def refuse(_: dict[str, Any]) -> None:
        raise Unsupported(
            f"CloudFormation {operation}: not built; build it in rehearsal/engine/cloudformation/stacks.py"
        )

    return refuse


def _answer(account: Account, operation: str, handler: Handler) -> None:
    name = camelcase_to_underscores(operation)
    before = vars(CloudFormationResponse).get(name)

    def method(self: CloudFormationResponse) -> ActionResult:
        try:
            return ActionResult(handler(copy.deepcopy(dict(self.params))))
        except Unsupported as unsupported:
            account.journal.write("unsupported", what=str(unsupported))
            raise error("UnsupportedOperation", str(unsupported)) from unsupported

    def undo() -> None:
        if before is None:
            delattr(CloudFormationResponse, name)
        else:
            setattr(CloudFormationResponse, name, before)

    setattr(CloudFormationResponse, name, method)
    account.on_close(undo)

"""Every private touch on moto 5.2.5 is in this package; tests/engine/test_moto_seams*.py hold a contract for each."""

from __future__ import annotations

import json
import logging
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from moto import mock_aws
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend
from moto.moto_api._internal import mock_random
from moto.server import ThreadedMotoServer
from werkzeug.serving import BaseWSGIServer

from rehearsal.engine.moto_seams import shortcuts, signatures
from rehearsal.engine.moto_seams.patches import replace
from rehearsal.engine.moto_seams.server import keep_alive

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

STOP_WITHIN_SECONDS = 0.05  # the server's own half second would be most of a short test

_running: dict[str, Any] = {}


def start(account: Account) -> str:
    """Start moto in this process and over HTTP on the same state; return the URL for child processes."""
    for name in ("werkzeug", "moto"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ["AWS_DEFAULT_REGION"] = account.region
    os.environ["MOTO_ALLOW_NONEXISTENT_REGION"] = "false"
    mock = mock_aws(
        config={"iam": {"load_aws_managed_policies": True}, "core": {"reset_boto3_session": True}}
    )
    replace(account, IAMBackend, "_init_aws_policies", _managed_policies)
    shortcuts.install(account)
    signatures.install(account)
    mock.start()
    mock_random.seed(0)  # the same life gives the same identifiers
    serve: Any = replace(account, BaseWSGIServer, "serve_forever", lambda it: serve(it, STOP_WITHIN_SECONDS))
    keep_alive(account)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    _running.update(mock=mock, server=server)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def stop() -> None:
    """Stop moto and forget its state; safe to call twice."""
    if "server" in _running:
        _running.pop("server").stop()
    if "mock" in _running:
        _running.pop("mock").stop()


def _managed_policies(backend: IAMBackend) -> list[AWSManagedPolicy]:
    """AWS's managed policies, parsed once: moto spends most of a second on them, six times an account."""
    if backend.region_name != "aws":
        return []
    return [
        AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
        for name, data in _managed_policy_data().items()
    ]


@cache
def _managed_policy_data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(aws_managed_policies_data)
    return data

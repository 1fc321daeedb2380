"""InvokeEndpoint: what the SageMaker runtime does between a caller and a container."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

from rehearsal.engine.account import Account
from rehearsal.engine.capture import Capture, Captured
from rehearsal.engine.endpoint_metrics import EndpointMetrics
from rehearsal.engine.hosting import Answer, Host
from rehearsal.engine.moto_seams.sagemaker import Invocation, Response

LONGEST_BODY_BYTES = 6_291_456
CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
INFERENCE_ID = "x-amzn-sagemaker-inference-id"
PASSED_ON = ("content-type", "accept", CUSTOM_ATTRIBUTES, INFERENCE_ID)
BYTES = "application/octet-stream"


def refusal(status: int, code: str, message: str, **fields: Any) -> Response:
    """An error of the runtime, as boto3 reads it."""
    headers = {"x-amzn-errortype": code, "Content-Type": "application/json"}
    return Response(status, headers, json.dumps({"Message": message, **fields}).encode())


@dataclass(eq=False)
class Serving:
    """A fleet that takes invocations: its container, its metrics, its capture."""

    account: Account
    host: Host
    metrics: EndpointMetrics
    capture: Capture

    def answer(self, request: Invocation) -> Response:
        """Pass a request on to the container; measure it, capture it, translate its errors."""
        size = len(request.body)
        if size > LONGEST_BODY_BYTES:
            what = f"Body of {size} bytes; at most {LONGEST_BODY_BYTES} are allowed"
            return refusal(400, "ValidationError", what)
        headers = {key.lower(): value for key, value in request.headers.items() if key.lower() in PASSED_ON}
        began = time.perf_counter()
        try:
            answer = self.host.invoke(request.body, headers)
        except (OSError, http.client.HTTPException) as error:
            answer = Answer(500, {}, f"{type(error).__name__}: {error}".encode())
        self.metrics.add(answer.status, latency_us=(time.perf_counter() - began) * 1e6)
        if not 200 <= answer.status < 300:
            return self._model_error(answer)
        given = Captured(headers.get("content-type", BYTES), request.body)
        returned = Captured(answer.headers.get("content-type", BYTES), answer.body)
        self.capture.take(given, returned, headers.get(INFERENCE_ID), headers.get(CUSTOM_ATTRIBUTES))
        attributes = answer.headers.get(CUSTOM_ATTRIBUTES)
        sent = {
            "Content-Type": returned.content_type,
            "x-Amzn-Invoked-Production-Variant": self.host.variant["VariantName"],
            **({"X-Amzn-SageMaker-Custom-Attributes": attributes} if attributes else {}),
        }
        return Response(200, sent, answer.body)

    def _model_error(self, answer: Answer) -> Response:
        side = "client" if answer.status < 500 else "server"
        text, region = answer.body.decode(errors="replace"), self.account.region
        group = f"/aws/sagemaker/Endpoints/{self.host.endpoint}"
        return refusal(
            424,
            "ModelError",
            f'Received {side} error ({answer.status}) from primary with message "{text}". See '
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logEventViewer:group={group} in account {self.account.id} for more information.",
            OriginalStatusCode=answer.status,
            OriginalMessage=text,
            LogStreamArn=f"arn:aws:logs:{region}:{self.account.id}:log-group:{group}",
        )

    def on_advance(self) -> None:
        """Metrics and logs as soon as the clock has moved; a captured hour once it is over."""
        self.metrics.publish()
        self.host.publish_log()
        self.capture.flush_past_hours()

    def retire(self) -> None:
        """Write what is buffered, and stop the container."""
        self.metrics.publish()
        self.capture.flush()
        self.host.stop()

"""SageMaker endpoints: create, update, delete, invoke."""

from __future__ import annotations

from typing import Any

from rehearsal.engine import hosting
from rehearsal.engine.account import Account
from rehearsal.engine.deployment_policies import InvalidPolicy, Policy, policy_of
from rehearsal.engine.deployments import Deployment, launch
from rehearsal.engine.endpoint_configs import EndpointConfigs
from rehearsal.engine.endpoint_events import tell_state
from rehearsal.engine.endpoint_state import Endpoint, described, instances_of, summary, variant_of
from rehearsal.engine.invocations import refusal
from rehearsal.engine.jobs import page
from rehearsal.engine.models import Models
from rehearsal.engine.moto_seams import sagemaker as seam
from rehearsal.engine.moto_seams.sagemaker import Invocation, Response

HARDWARE = ("InstanceType", "InstancePools")


class Endpoints:
    """The endpoints of an account: the API's handlers."""

    def __init__(self, account: Account, configs: EndpointConfigs) -> None:
        self._account = account
        self._configs = configs
        self._endpoints: dict[str, Endpoint] = {}

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        if name in self._endpoints:
            raise seam.error(
                "ValidationException", f'Cannot create already existing endpoint "{self._arn(name)}".'
            )
        now = self._account.clock.now()
        config = self._configs.get(request["EndpointConfigName"])
        endpoint = Endpoint(name, self._arn(name), config, now, now, instances_of(config))
        endpoint.deployment_config = request.get("DeploymentConfig")
        self._endpoints[name] = endpoint
        try:
            endpoint.fleet = launch(self._account, endpoint, config)
        except hosting.DeploymentFailed as failed:
            endpoint.status, endpoint.failure_reason = "Failed", str(failed)
        else:
            endpoint.fleets.share({endpoint.fleet: 1})
            endpoint.status = "InService"
        tell_state(self._account, endpoint)
        return {"EndpointArn": endpoint.arn}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Check all that can be refused at once, and start the deployment."""
        endpoint = self._endpoint(request["EndpointName"])
        config = self._configs.get(request["EndpointConfigName"])
        if endpoint.status == "Failed":
            raise seam.error(
                "ValidationException", f'Endpoint "{endpoint.arn}" is Failed; it can only be deleted.'
            )
        self._refuse_in_progress(endpoint)
        self._configs.get(endpoint.config["EndpointConfigName"])
        self._check_scaling(endpoint, config)
        wanted = request.get("DeploymentConfig")
        if request.get("RetainDeploymentConfig"):
            wanted = wanted or endpoint.deployment_config
        policy = self._policy(endpoint, config, wanted, request)
        endpoint.deployment_config = wanted or endpoint.deployment_config
        Deployment(self._account, endpoint, config, policy).start()
        return {"EndpointArn": endpoint.arn}

    def delete(self, request: dict[str, Any]) -> None:
        endpoint = self._endpoint(request["EndpointName"])
        self._refuse_in_progress(endpoint)
        del self._endpoints[endpoint.name]
        endpoint.fleets.share({})
        if endpoint.fleet:
            endpoint.fleets.drain(endpoint.fleet)
            endpoint.fleet.retire()
        endpoint.status = "Deleting"
        tell_state(self._account, endpoint)

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        return described(self._endpoint(request["EndpointName"]))

    def update_capacities(self, request: dict[str, Any]) -> dict[str, Any]:
        """As Application Auto Scaling does: more or fewer instances of the one variant, at once."""
        endpoint = self._endpoint(request["EndpointName"])
        self._refuse_in_progress(endpoint)
        name = variant_of(endpoint.config)["VariantName"]
        for wanted in request["DesiredWeightsAndCapacities"]:
            if wanted["VariantName"] != name:
                what = f'The variant(s) "{wanted["VariantName"]}" of {endpoint.arn} do not exist.'
                raise seam.error("ValidationException", what)
            endpoint.instances = wanted.get("DesiredInstanceCount", endpoint.instances)
        tell_state(self._account, endpoint)
        return {"EndpointArn": endpoint.arn}

    def list_endpoints(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [
            summary(endpoint)
            for endpoint in self._endpoints.values()
            if request.get("NameContains", "") in endpoint.name
            and request.get("StatusEquals") in (None, endpoint.status)
        ]
        return page(found, request, "Endpoints")

    def invoke(self, request: Invocation) -> Response:
        endpoint = self._endpoints.get(request.endpoint)
        if endpoint:
            with endpoint.fleets.taken() as fleet:
                if fleet:
                    return fleet.answer(request)
        what = f"Endpoint {request.endpoint} of account {self._account.id} not found."
        return refusal(400, "ValidationError", what)

    def on_advance(self) -> None:
        for endpoint in self._endpoints.values():
            for fleet in endpoint.running:
                fleet.on_advance()

    def _arn(self, name: str) -> str:
        return f"arn:aws:sagemaker:{self._account.region}:{self._account.id}:endpoint/{name}"

    def _endpoint(self, name: str) -> Endpoint:
        if name not in self._endpoints:
            raise seam.error("ValidationException", f'Could not find endpoint "{self._arn(name)}".')
        return self._endpoints[name]

    def _refuse_in_progress(self, endpoint: Endpoint) -> None:
        if endpoint.pending:
            raise seam.error("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')

    def _check_scaling(self, endpoint: Endpoint, config: dict[str, Any]) -> None:
        """Another instance type needs the variant to be deregistered from Application Auto Scaling first."""
        old, new = variant_of(endpoint.config), variant_of(config)
        if all(old.get(key) == new.get(key) for key in HARDWARE):
            return
        name = old["VariantName"]
        targets = self._account.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[f"endpoint/{endpoint.name}/variant/{name}"]
        )
        if targets["ScalableTargets"]:
            raise seam.error(
                "ValidationException",
                f'The variant(s) "["{name}"]" must be deregistered as scalable targets with AWS Auto Scaling before '
                "they can be removed or have their instance type updated.",
            )

    def _policy(
        self,
        endpoint: Endpoint,
        config: dict[str, Any],
        wanted: dict[str, Any] | None,
        request: dict[str, Any],
    ) -> Policy:
        """How the update goes; serverless endpoints have no guardrails."""
        names = [variant_of(each)["VariantName"] for each in (endpoint.config, config)]
        if wanted and len(set(names)) > 1:
            what = (
                f"a blue/green update keeps the variant's name; got {names[1]}, the endpoint has {names[0]}"
            )
            raise seam.error("ValidationException", what)
        excluded = [
            each["VariantPropertyType"] for each in request.get("ExcludeRetainedVariantProperties", [])
        ]
        kept = request.get("RetainAllVariantProperties") and "DesiredInstanceCount" not in excluded
        count = endpoint.instances if kept else instances_of(config)
        try:
            policy = policy_of(None if "ServerlessConfig" in variant_of(config) else wanted, count)
        except InvalidPolicy as invalid:
            raise seam.error("ValidationException", str(invalid)) from invalid
        self._check_alarms(policy.alarms)
        return policy

    def _check_alarms(self, names: tuple[str, ...]) -> None:
        if not names:
            return
        found = self._account.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
        missing = sorted(set(names) - {alarm["AlarmName"] for alarm in found})
        if missing:
            what = f"Could not find the CloudWatch alarm(s) {missing} of AutoRollbackConfiguration."
            raise seam.error("ValidationException", what)


def install(account: Account) -> None:
    """Let this account's endpoints be processes."""
    configs = EndpointConfigs(account)
    endpoints = Endpoints(account, configs)
    seam.answer(
        account,
        {
            "CreateModel": Models(account).create,
            "CreateEndpointConfig": configs.create,
            "DescribeEndpointConfig": configs.describe,
            "ListEndpointConfigs": configs.list_configs,
            "DeleteEndpointConfig": configs.delete,
            "CreateEndpoint": endpoints.create,
            "UpdateEndpoint": endpoints.update,
            "UpdateEndpointWeightsAndCapacities": endpoints.update_capacities,
            "DescribeEndpoint": endpoints.describe,
            "ListEndpoints": endpoints.list_endpoints,
            "DeleteEndpoint": endpoints.delete,
        },
    )
    seam.answer_invocations(account, endpoints.invoke)
    account.on_advance.append(endpoints.on_advance)

"""CloudFormation: a cloud assembly becomes stacks, and stacks become calls of each service's own API."""

from rehearsal.engine.cloudformation.stacks import install

__all__ = ["install"]

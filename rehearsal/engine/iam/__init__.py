"""IAM: what a deployed role, or an AWS service, may do in the local account."""

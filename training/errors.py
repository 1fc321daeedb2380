"""How a step says no: a sentence for a person, which SageMaker shows as the reason of the failed job."""


class Refused(Exception):
    """The input breaks a rule; the message says what was got, what is allowed and what to do."""

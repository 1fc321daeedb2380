import json

from hypothesis import given
from hypothesis import strategies as st

from domain.decision import Decision

DECISIONS = st.builds(
    Decision,
    kind=st.text(),
    verdict=st.text(),
    rule=st.text(),
    reasons=st.lists(st.text()).map(tuple),
    inputs=st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text())),
)


@given(DECISIONS)
def test_a_decision_survives_the_ledger(decision: Decision) -> None:
    assert Decision.from_json(json.loads(json.dumps(decision.to_json()))) == decision

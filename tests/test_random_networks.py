"""Random networks give what a slow network gives, and what scikit-learn's give."""

import pytest
import random_networks
import slow_network
from reference import compiled_only

N_TRIALS = 200
N_TRIALS_AGAINST_SCIKIT_LEARN = 100

pytestmark = compiled_only


def test_random_networks_are_the_slow_network():
    outcome = random_networks.run(N_TRIALS, seed=0)
    assert not outcome.wrong, "\n".join(outcome.wrong)
    assert outcome.survived == outcome.tried == N_TRIALS


def test_random_networks_are_scikit_learns():
    outcome = random_networks.run_against_scikit_learn(N_TRIALS_AGAINST_SCIKIT_LEARN, seed=0)
    assert not outcome.wrong, "\n".join(outcome.wrong)
    assert outcome.survived == outcome.tried == N_TRIALS_AGAINST_SCIKIT_LEARN


@pytest.mark.parametrize("formula", ["rate_factor", "_softplus"])
def test_a_wrong_formula_is_found(formula, monkeypatch):
    right = getattr(slow_network, formula)
    monkeypatch.setattr(slow_network, formula, lambda *arguments: right(*arguments) * 1.001)
    outcome = random_networks.run(30, seed=0)
    assert outcome.wrong
    assert outcome.survived < outcome.tried

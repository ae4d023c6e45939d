"""Every phase has a number of its own, in the order in which phases run."""

import pytest

from sknn._engine import phases


@pytest.mark.parametrize("n_layers", [1, 2, 3, 7])
@pytest.mark.parametrize("step", [0, 1, 5])
def test_numbers_are_distinct_and_in_order(n_layers, step):
    hidden = range(n_layers - 1)
    numbers = [
        phases.input_phase(step, n_layers),
        *(
            phase(step, n_layers, layer)
            for layer in hidden
            for phase in (phases.split_k_phase, phases.forward_phase)
        ),
        phases.forward_phase(step, n_layers, n_layers - 1),
        *(phases.backward_phase(step, n_layers, layer) for layer in reversed(range(n_layers))),
        phases.update_phase(step, n_layers),
        phases.result_phase(step, n_layers),
    ]
    assert numbers == sorted(set(numbers))
    n_phases = phases.count_phases(n_layers)
    assert numbers[0] == step * n_phases
    assert numbers[-1] == (step + 1) * n_phases - 1


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_shards_have_two_phases_before_the_update(n_layers):
    numbers = [
        phase(3, n_layers)
        for phase in (
            phases.shard_phase,
            phases.reduce_phase,
            phases.update_phase,
            phases.result_phase,
        )
    ]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == phases.input_phase(3, n_layers)

"""What a fit hands over to the estimator when it is interrupted."""

import pytest
from problems import CASES, assert_same_training, both_kinds
from sklearn.base import clone

pytest.importorskip("sklearn.callback")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge"
)


class InterruptingCallback:
    """Raise KeyboardInterrupt in a hook, as if the user had pressed Ctrl-C there."""

    def __init__(self, hook, task, number):
        self.moment = (hook, task, number)

    def _interrupt_at(self, hook, context):
        if self.moment == (hook, context.task_name, context.task_id):
            raise KeyboardInterrupt

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context):
        self._interrupt_at("begin", context)

    def on_fit_task_end(self, estimator, context):
        self._interrupt_at("end", context)


def interrupted(kind, moment, **settings):
    network = kind(hidden_layer_sizes=6, max_iter=5, random_state=0, **settings)
    network.set_callbacks(InterruptingCallback(*moment))
    with pytest.raises(KeyboardInterrupt):
        network.fit(*CASES[kind])
    return network.set_callbacks()


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    ("moment", "n_finished"),
    [(("begin", "epoch", 3), 3), (("end", "epoch", 3), 3), (("end", "fit", 0), 5)],
)
def test_an_interrupt_keeps_the_last_finished_epoch(
    kind, solver, early_stopping, moment, n_finished
):
    network = interrupted(kind, moment, solver=solver, early_stopping=early_stopping)
    assert len(network.loss_curve_) == network.n_iter_ == n_finished
    if solver != "lbfgs":
        shorter = clone(network).set_params(max_iter=n_finished).fit(*CASES[kind])
        assert_same_training(network, shorter)


@both_kinds
def test_training_goes_on_after_an_interrupt_bit_for_bit(kind):
    network = interrupted(kind, ("end", "epoch", 2), warm_start=True)
    network.set_params(max_iter=3).fit(*CASES[kind])
    whole = kind(hidden_layer_sizes=6, max_iter=5, random_state=0).fit(*CASES[kind])
    assert_same_training(network, whole)


@both_kinds
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("moment", [("begin", "fit", 0), ("begin", "epoch", 0)])
def test_an_interrupt_of_the_first_epoch_leaves_the_estimator_as_it_was(kind, solver, moment):
    network = interrupted(kind, moment, solver=solver)
    assert set(vars(network)) - {"_skl_callbacks"} == set(network.get_params())

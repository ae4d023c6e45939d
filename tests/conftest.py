import pytest


@pytest.fixture
def global_random_seed():
    """Seed that scikit-learn's own tests ask for."""
    return 42

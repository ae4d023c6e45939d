import os
import tempfile

import pytest

from sknn._compiled.cache import FILES
from sknn._compiled.cache_folder import cache_directory


def pytest_configure(config):
    """Keep compiled code elsewhere if the user's folder for caches cannot be written to."""
    if not FILES.may_be_written():
        folder = tempfile.TemporaryDirectory()
        config.add_cleanup(folder.cleanup)
        os.environ["XDG_CACHE_HOME"] = folder.name
        cache_directory.cache_clear()


@pytest.fixture
def global_random_seed():
    """Seed that scikit-learn's own tests ask for."""
    return 42

"""The HTML representation of estimators links to the address that the package's metadata name."""

import re
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest

from sknn import HiddenFeatures, MLPClassifier, MLPRegressor, TabularPreprocessor
from sknn._versions import documentation_url

ADDRESS = "https://example.org/sknn"


@pytest.fixture
def urls(monkeypatch):
    """Return the metadata of a package, to which addresses can be added."""
    message = Message()
    monkeypatch.setattr(metadata, "metadata", lambda name: message)
    documentation_url.cache_clear()
    yield message
    documentation_url.cache_clear()


@pytest.mark.parametrize(
    "estimator",
    [MLPClassifier(), MLPRegressor(), HiddenFeatures(MLPClassifier()), TabularPreprocessor()],
    ids=repr,
)
def test_link_to_the_documentation(estimator, urls):
    urls["Project-URL"] = "Source, https://example.org/source"
    urls["Project-URL"] = f"Documentation, {ADDRESS}"
    assert f'href="{ADDRESS}"' in estimator._repr_html_()


def test_no_link_without_an_address(urls, monkeypatch):
    urls["Project-URL"] = "Source, https://example.org/source"
    assert documentation_url() == ""
    assert "Documentation for MLPClassifier" not in MLPClassifier()._repr_html_()

    def not_installed(name):
        raise metadata.PackageNotFoundError(name)

    documentation_url.cache_clear()
    monkeypatch.setattr(metadata, "metadata", not_installed)
    assert documentation_url() == ""


def test_the_package_names_an_address(urls):
    project = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    (address,) = re.findall(r'^Documentation = "(https://.*)"$', project, re.M)
    urls["Project-URL"] = f"Documentation, {address}"
    assert f'href="{address}"' in MLPClassifier()._repr_html_()

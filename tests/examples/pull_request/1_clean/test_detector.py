import pytest
from detector import detector


@pytest.fixture(scope="module")
def model():
    return detector()


@pytest.mark.layercount(max_growth="10%")
def test_size(model): ...


def test_deploys_lean(model, assert_foldable):
    assert_foldable(model)

import pytest


def test_exact(growing, assert_matches_baseline):
    assert_matches_baseline(growing)


def test_allowed(growing, assert_matches_baseline):
    assert_matches_baseline(growing, max_growth="5%")


def test_metrics(growing, assert_matches_baseline):
    assert_matches_baseline(growing, max_growth=1, metrics=["layers", "macs"])


@pytest.mark.layercount(max_growth=0, max=5)
def test_marked(growing): ...


def test_unchanged(small, assert_matches_baseline):
    assert_matches_baseline(small)

import pytest
import zoo

mark = pytest.mark.layercount


@mark(max=3)
def test_max(small): ...


@mark(min=5, reason="has to see far")
def test_min(small): ...


@mark(exactly=3, folded=True)
def test_folded(last): ...


@mark(types={"BatchNormalization": 0, "Conv2D": 1})
def test_types(small): ...


@mark(max=3, max_parameters=15, max_trainable="1k", max_bytes="50B", max_depth=2, max_macs="5k")
def test_costs(small): ...


@mark(max=3, count="nodes")
def test_nodes(grown_pair): ...


@pytest.fixture
def grown_pair(small, last):
    return {"small": small, "grown": zoo.grown}


@mark(max=3)
def test_several(small, last): ...


@mark(max=3)
def test_no_model(number): ...


@mark(max=3)
def test_no_fixtures(): ...


@mark(max=3, model="smal")
def test_unknown_fixture(small): ...


@mark(max=3, model="number")
def test_not_a_model(number): ...


@mark(max=30)
def test_passes(small): ...


@pytest.mark.xfail(strict=True)
@mark(max=3)
def test_expected(small): ...

"""What we read of pytest that it does not promise: a renamed attribute must fail here."""

from __future__ import annotations

from pytest_layercount.fixture_models import no_model
from tests.texts import same

PRIVATE = """
import pytest
from pytest_layercount import fixture_models

@pytest.fixture
def backbone(): return 1

@pytest.fixture
def late(): return 2

@pytest.fixture(scope="module")
def made(request):
    return request

@pytest.fixture(params=["small", "large"])
def net(request, backbone):
    return fixture_models.test_of(request)

@pytest.mark.parametrize("way", ["a b"])
def test_it(net, way, request):
    item = request.node
    assert net is item
    assert list(fixture_models._asked_for(item)) == ["net", "way", "request"]
    (definition,) = fixture_models._definitions(item)["net"]
    assert fixture_models.place_of(item, definition).name in ("net[small]", "net[large]")
    request.getfixturevalue("late")
    used = {definition.argname for definition in fixture_models.used_fixtures(item)}
    assert {"net", "backbone", "late"} <= used

class TestModule:
    def test_of_a_module(self, made, request):
        assert fixture_models.test_of(made).name == "test_of_a_module"
"""


def test_pytest_has_what_is_read_of_it(suite):
    suite.makepyfile(PRIVATE)
    suite.runpytest().assert_outcomes(passed=3)


def test_items_that_are_no_functions_have_none_of_it(suite):
    suite.makepyfile(
        '''
        def doubled(number):
            """
            >>> doubled(2)
            4
            """
            return 2 * number
        '''
    )
    suite.makeconftest(
        """
        import pytest
        from pytest_layercount import fixture_models

        @pytest.hookimpl(trylast=True)
        def pytest_runtest_call(item):
            assert fixture_models.used_fixtures(item) == []
            assert fixture_models._definitions(item) == {}
        """
    )
    suite.runpytest("--doctest-modules", "--layercount-auto", "--layercount-max=3").assert_outcomes(
        passed=1
    )


def test_no_model():
    same(
        no_model({"tmp_path": "PosixPath", "data": "list"}, None),
        """
        layercount: found no model to judge
        the fixtures that the test asks for: tmp_path (PosixPath), data (list)
        a mark judges what fixtures return: ask for one that returns a Keras model,
        or name it: @pytest.mark.layercount(model="name", ...)
        a model that the test makes itself is judged in its body, with the fixture
        assert_layer_count: assert_layer_count(model, max=...)
        """,
    )


def test_no_model_and_no_fixtures():
    assert "asks for: none\n" in no_model({}, None)


def test_no_model_in_the_fixture_named():
    same(
        no_model({"data": "list"}, "data"),
        """
        layercount: found no model to judge
        the fixture 'data' that model= names gives no Keras model: list
        give it one: return a model, the path of a saved one, or a list or dict of models
        """,
    )

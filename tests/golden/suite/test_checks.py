import pytest
import zoo


def test_count(small, assert_layer_count):
    assert_layer_count(small, max=3, info="the camera has no more room")


def test_count_of_a_type(small, assert_layer_count):
    assert_layer_count(small, types={"BatchNorm": 0})


def test_bad_argument(small, assert_layer_count):
    assert_layer_count(small, max="many")


def test_unknown_argument(small, assert_layer_count):
    assert_layer_count(small, maximum=3)


def test_no_limit(small, assert_layer_count):
    assert_layer_count(small)


@pytest.mark.parametrize(
    "model", ["gone.keras", 3, zoo.fails, None], ids=["path", "int", "function", "none"]
)
def test_no_model(model, assert_layer_count):
    assert_layer_count(model, max=3)


def test_foldable(last, assert_foldable):
    assert_foldable(last)


def test_stale_exception(small, assert_foldable):
    assert_foldable(small, except_={"batch_normalization2": "the head trains on"})


def test_excepted(last, assert_foldable):
    assert_foldable(last, except_={"batch_normalization2": "the head trains on"})


def test_unknown_type(small, assert_foldable):
    assert_foldable(small, types=["BatchNormalisation"])


def test_nothing_to_fold(assert_foldable):
    assert_foldable(zoo.lean)


def test_same_structure(small, assert_same_structure):
    assert_same_structure(small, zoo.lean)


def test_same_structure_but_for_folds(small, assert_same_structure):
    assert_same_structure(small, zoo.lean, ignore=["batch-norms-folded"])


def test_same_structure_of_others(small, assert_same_structure):
    assert_same_structure(small, zoo.grown, count="nodes")


def test_unknown_code(small, assert_same_structure):
    assert_same_structure(small, zoo.lean, ignore=["folded"])


def test_needs_values(small, assert_equivalent_after_fold):
    assert_equivalent_after_fold(small)

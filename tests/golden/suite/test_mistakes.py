import pytest

mark = pytest.mark.layercount


@mark(3)
def test_positional(small): ...


@mark(maximum=3)
def test_unknown(small): ...


@mark(max=3, min=5)
def test_bounds(small): ...


@mark(exactly=3, max=5)
def test_exactly(small): ...


@mark(max=-1)
def test_negative(small): ...


@mark(max_bytes="3 apples")
def test_bytes(small): ...


@mark(max_growth="much")
def test_growth(small): ...


@mark(count="all", max=1)
def test_count(small): ...


@mark(max=3, count="top", folded=True)
def test_top(small): ...


@mark(reason="nothing")
def test_no_limit(small): ...

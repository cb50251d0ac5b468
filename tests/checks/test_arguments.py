"""Limits: what they mean as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_layercount.checks.arguments import CHECKS, ArgumentError, check_keyword, checked
from pytest_layercount.checks.layercount import Limits, not_kept
from pytest_layercount.model.count import count_graph
from tests.graphs import chain, of_size


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (5_000_000, 5_000_000),
        (np.int64(7), 7),
        ("5M", 5_000_000),
        ("5_000_000", 5_000_000),
        ("1.2B", 1_200_000_000),
        ("1.2G", 1_200_000_000),
        ("300k", 300_000),
        ("300K", 300_000),
        ("2.5k", 2_500),
        ("0", 0),
        ("17", 17),
    ],
)
def test_parameters_are_numbers_or_text(given, meant):
    assert Limits.of(checked({"max_parameters": given})).measures["max_parameters"] == meant


@pytest.mark.parametrize("given", ["", "M", "-5M", "5 M", "5MM", "0.5", "1e6", "five", [5], True])
def test_what_is_no_number_of_parameters(given):
    with pytest.raises(ArgumentError, match="must"):
        checked({"max_parameters": given})


NO_WHOLE = (-1, 2.5, "3", True, [3])
NO_SIZE = (-1, 2.5, "5MB", True)
NO_TEXT = ("", 3, True)
WRONG = {
    **dict.fromkeys(("max", "min", "exactly", "max_depth"), NO_WHOLE),
    "count": ["weights", 3],
    "folded": [1, "yes"],
    "types": [{}, [], {"Dense": -1}, {3: 1}, "Dense"],
    **dict.fromkeys(("max_parameters", "max_trainable", "max_macs"), NO_SIZE),
    "max_bytes": [-1, 2.5, "5M", True],
    "max_growth": [-1, "5%%", True],
    **dict.fromkeys(("model", "reason"), NO_TEXT),
}


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_every_argument_is_checked(name):
    for wrong in WRONG[name]:
        with pytest.raises(ArgumentError) as error:
            checked({name: wrong})
        assert error.value.arguments == {name: wrong}


def test_violations_come_in_a_fixed_order_with_both_numbers():
    limits = {"min": 9, "types": {"Dense": 1, "Conv2D": 0}, "max_parameters": 20}
    asked = Limits.of(checked(limits))
    found = not_kept(asked.judge(count_graph(of_size(4))))
    assert [(item.name, item.of, item.value, item.limit) for item in found] == [
        ("min", "layers", 4, 9),
        ("types", "Dense", 3, 1),
        ("max_parameters", "parameters", 30, 20),
    ]


def test_limits_that_are_met_exactly_are_kept():
    limits = {"min": 3, "max": 3, "types": {"Dense": 2}, "max_parameters": 20}
    assert not not_kept(Limits.of(checked(limits)).judge(count_graph(of_size(3))))


def test_none_is_not_given():
    asked = Limits.of(checked({"max": 3, "min": None, "count": None}))
    assert (asked.max, asked.min, asked.count) == (3, None, "layers")


def test_a_type_that_is_not_there_is_zero():
    asked = Limits.of(checked({"types": {"BatchNormalization": 0}}))
    assert not not_kept(asked.judge(count_graph(chain("InputLayer", "Dense"))))


@pytest.mark.parametrize(
    ("given", "meant"),
    [(5, 5), ("20MB", 20_000_000), ("1.5GiB", 3 * 2**29), ("500 kB", 500_000), ("12B", 12)],
)
def test_bytes_are_numbers_or_text(given, meant):
    assert Limits.of(checked({"max_bytes": given})).measures["max_bytes"] == meant


@pytest.mark.parametrize("given", ["20", "20M", "-1MB", "0.5B", "MB", 1.5])
def test_what_is_no_number_of_bytes(given):
    with pytest.raises(ArgumentError, match="must"):
        checked({"max_bytes": given})


def test_every_cost_has_a_limit():
    model = of_size(4)
    kept = {"max_parameters": 30, "max_trainable": 0, "max_bytes": 120, "max_depth": 3}
    kept["max_macs"] = 3072
    for name, limit in kept.items():
        counted = count_graph(model)
        assert not not_kept(Limits.of(checked({name: limit})).judge(counted)), name
        if limit:
            (found,) = not_kept(Limits.of(checked({name: limit - 1})).judge(counted))
            assert (found.name, found.value, found.limit) == (name, limit, limit - 1)


def test_a_number_of_macs_that_is_not_known_is_within_no_limit():
    counted = count_graph(chain("InputLayer", "Conv2D", "Lambda"))
    assert not_kept(Limits.of(checked({"max_macs": "1G"})).judge(counted))
    assert not not_kept(Limits.of(checked({"max_bytes": "1GB"})).judge(counted))


def test_an_error_says_to_what_the_arguments_were_given():
    with pytest.raises(ArgumentError) as error:
        check_keyword("maximum", 3, ["max", "min"])
    assert str(error.value.of("layercount")) == (
        "layercount(maximum=3): unknown argument 'maximum'; did you mean 'max'?"
    )


def test_long_values_are_abridged():
    with pytest.raises(ArgumentError) as error:
        checked({"count": "n" * 500})
    assert len(str(error.value.of("layercount"))) < 150

"""What the mark says of itself, and where it finds no model."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_layercount.errors import needs_tensorflow
from pytest_layercount.text import page, short

OF_THE_SUITE = "a limit of the whole suite; a mark on the test replaces it"


def marker_help() -> str:
    """What ``pytest --markers`` says."""
    return (
        "layercount(*, max=, min=, exactly=, count='layers', folded=False, types=, "
        "max_parameters=, max_trainable=, max_bytes=, max_depth=, max_macs=, max_growth=, "
        "model=, reason=): fail the test before its body runs "
        "unless the models among its fixture values keep these limits. count is 'layers', "
        "'nodes' or 'top'; types maps layer types to their maximum; max_parameters takes "
        "5_000_000 or '5M'; max_growth is how much more than in the baseline there may be, "
        "3 or '5%'; model names the fixture to judge."
    )


def no_model(looked_at: Mapping[str, str], fixture: str | None) -> str:
    """A mark that has nothing to measure."""
    if fixture is not None:
        kind = looked_at.get(fixture, "not set up")
        return page(
            "layercount: found no model to judge",
            f"the fixture {fixture!r} that model= names gives no Keras model: {kind}",
            "give it one: return a model, the path of a saved one, or a list or dict of models",
        )
    seen = ", ".join(f"{name} ({kind})" for name, kind in looked_at.items()) or "none"
    return page(
        "layercount: found no model to judge",
        f"the fixtures that the test asks for: {seen}",
        "a mark judges what fixtures return: ask for one that returns a Keras model,",
        'or name it: @pytest.mark.layercount(model="name", ...)',
        "a model that the test makes itself is judged in its body, with the fixture",
        "assert_layer_count: assert_layer_count(model, max=...)",
    )


def unknown_fixture(fixture: str) -> str:
    """``model=`` names a fixture that this test cannot see."""
    return (
        f"layercount(model={fixture!r}): no fixture of this name here; "
        "`pytest --fixtures` lists those there are"
    )


def install_tensorflow(model: object) -> str:
    """TensorFlow is needed and not there."""
    return needs_tensorflow(f"reading {short(model)}")

"""What ``check_fold`` says of a model that was never trained."""

from __future__ import annotations

from tests.folding.harness import Kit


def test_paths_of_an_untrained_nested_model_are_its_own(kit: Kit) -> None:
    from pytest_layercount import check_fold

    kit.keras.backend.set_floatx("float32")
    start = inner = kit.input(4)
    for layer in (
        kit.Dense(3, name="f"),
        kit.bn("p"),
        kit.Activation("tanh", name="t"),
        kit.bn("q"),
    ):
        inner = layer(inner)
    block = kit.model(start, inner, name="m")
    model = kit.chain((4,), kit.Activation("tanh", name="t"), block)
    check = check_fold(model)
    assert check.randomised
    assert check.equivalence.equivalent
    assert [(fold.layer, fold.into) for fold in check.result.folds] == [("m/p", ("m/f",))]
    refused = [(no.layer, no.blocker) for no in check.result.refusals]
    assert refused == [("m/q", "m/t")]

"""One scope is one layer: activations join their kernels, unknown operations one another."""

from __future__ import annotations

from pytest_layercount.model.readers.tensorflow.steps import Step, Steps


def gather_scopes(steps: Steps) -> None:
    """Join what a layer's own scope holds."""
    for members in steps.leaves().values():
        kernels = [step for step in members if step.weighted]
        # Kernels with the same weights in one scope are calls of one layer; different ones are
        # layers that were made in one scope, which say nothing about whose the activation is.
        if len({frozenset(step.weights) for step in kernels}) == 1:
            for kernel in kernels:  # of one layer, called several times
                _fuse(steps, kernel)
        elif not kernels:
            _keep_together(steps, members)


def _fuse(steps: Steps, kernel: Step) -> None:
    # Conv2D -> BiasAdd -> Relu, by one layer: its activation=.
    after = steps.after(kernel)
    name = None if after is None else _activation(after)
    if after is not None and name is not None and len(after.reads) == 1:
        steps.join(after, [kernel], like=kernel)
        after.config = {**after.config, "activation": name}


def _activation(step: Step) -> str | None:
    if step.type == "Activation":
        return str(step.config["activation"])
    if step.type == "ReLU":
        return "relu6" if step.config["max_value"] else "relu"
    return None


def _keep_together(steps: Steps, members: list[Step]) -> None:
    """Make one step of the operations of a layer of unknown type."""
    if len(members) < 2 or all(step.type for step in members):
        return
    # What a batch normalization that trains does with its statistics stands beside it.
    if any(step.type == "BatchNormalization" for step in members):
        return
    inside = {step.last for step in members}
    # Only where the last step alone is read from outside: a layer has one result here.
    leaving = [step for step in members if not set(steps.readers.get(step.last, ())) <= inside]
    if leaving == members[-1:]:
        # The types in order stand for the class, which a trace does not name: "Mean+Sub+Mul".
        kinds = dict.fromkeys(step.type or steps.op(step).type for step in members)
        steps.become(members[-1], members, "+".join(kinds), {"own": True})

"""What one scope made is one layer: activations go to their kernels, the unknown stay together."""

from __future__ import annotations

from pytest_layercount.model.readers.tensorflow.steps import Step, Steps


def gather_scopes(steps: Steps) -> None:
    """Join what a layer's own scope holds."""
    for members in _leaves(steps).values():
        kernels = [step for step in members if step.weighted]
        if len({frozenset(step.weights) for step in kernels}) == 1:
            for kernel in kernels:  # of one layer, called several times
                _fuse(steps, kernel)
        elif not kernels:
            _keep_together(steps, members)


def _leaves(steps: Steps) -> dict[str, list[Step]]:
    """The scopes of single layers, and what they hold."""
    found: dict[str, list[Step]] = {}
    for step in steps.steps.values():
        if step.type != "InputLayer" and steps.is_leaf(step.scope):
            found.setdefault(step.scope, []).append(step)
    return found


def _fuse(steps: Steps, kernel: Step) -> None:
    """Make the activation after a kernel its ``activation=``."""
    after = steps.after(kernel)
    name = None if after is None else activation_of(after)
    if after is None or name is None or len(after.reads) != 1:
        return
    steps.join(after, [kernel], like=kernel)
    after.config = {**after.config, "activation": name}


def activation_of(step: Step) -> str | None:
    """The activation function that a step is."""
    if step.type == "Activation":
        return str(step.config["activation"])
    if step.type == "ReLU":
        return "relu6" if step.config.get("max_value") else "relu"
    return None


def _keep_together(steps: Steps, members: list[Step]) -> None:
    """Operations of one layer that are no known layer become one step, named after them."""
    if len(members) < 2 or all(step.type for step in members):
        return
    if any(step.type == "BatchNormalization" for step in members):
        return
    inside = {step.last for step in members}
    last = members[-1]
    leaving = [step for step in members if not set(steps.readers.get(step.last, ())) <= inside]
    if leaving != [last]:
        return
    kinds = dict.fromkeys(step.type or steps.op(step).type for step in members)
    steps.join(last, members[:-1])
    last.type, last.config = "+".join(kinds), {"own": True}

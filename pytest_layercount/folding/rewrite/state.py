"""What a copy of a layer is to hold: the weights of the layer it copies, or those a fold gives it.

Variables are made with these values: making them at random first, to be
overwritten, would take longer than all the rest of a fold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pytest_layercount.folding.affine import Array
from pytest_layercount.model.readers.weights import variable


class State:
    """The state that ``new``, a copy of ``old`` that has not been called, is to have.

    ``weights`` are new values by name, where they are not those of ``old``; the
    variables may keep these arrays, which belong to nobody else.
    Values are known in advance by the names that the layer makes its variables
    under; :meth:`settle`, after the first call, goes by what is known for
    certain, and assigns whatever turned out otherwise.
    """

    def __init__(self, old: Any, new: Any, weights: Mapping[str, Array]) -> None:
        self.old, self.new, self.weights = old, new, weights
        self.begun: dict[int, Any] = {}
        if not _parts(old):
            self._await(self._expected())

    def settle(self) -> bool:
        """Whether any variable had to be assigned; afterwards all are as they should be."""
        vars(self.new).pop("add_weight", None)
        targets = [(self._target(name), array) for name, array in self.weights.items()]
        given = {id(target) for target, _ in targets}
        others = [(there, here) for here, there in self._pairs() if id(there) not in given]
        late = False
        for target, value in (*others, *targets):
            if self.begun.get(id(target)) is not value:
                target.assign(_tensor(value, target.dtype))
                late = True
        return self._learned() or late

    def _target(self, name: str) -> Any:
        target = variable(self.new, name)
        assert target is not None, f"{self.new.name} has no {name}"
        return target

    @property
    def alike(self) -> bool:
        """Whether the copy has weights of the same shapes."""
        return _shapes(self.old) == _shapes(self.new)

    def _expected(self) -> dict[str, Any]:
        """Values by the names under which variables are made."""
        found: dict[str, Any] = {_short(source): source for source in self.old.weights}
        for name, array in self.weights.items():
            source = variable(self.old, name)
            found[name if source is None else _short(source)] = array
        return found

    def _await(self, expected: Mapping[str, Any]) -> None:
        """Have the layer make its variables with the values ``expected``."""
        make = self.new.add_weight
        # Read here: inside a layer's call, Keras may cast what is read.
        read = {
            name: value if isinstance(value, np.ndarray) else _read(value)
            for name, value in expected.items()
        }

        def add_weight(*args: Any, **kwargs: Any) -> Any:
            name = str(kwargs.get("name"))
            value = read.get(name)
            if args or value is None or tuple(kwargs.get("shape") or ()) != tuple(value.shape):
                return make(*args, **kwargs)
            kwargs["initializer"] = lambda shape, dtype=None, **_: _tensor(value, dtype)
            made = make(**kwargs)
            self.begun[id(made)] = expected[name]
            return made

        vars(self.new)["add_weight"] = add_weight

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Each variable of the copy with the one it copies, part by part.

        The parts are paired in the order in which Keras tracks them; the order of
        ``layer.weights`` would depend on which of them are frozen.
        """
        old, new = list(self.old._flatten_layers()), list(self.new._flatten_layers())
        if len(old) != len(new):
            yield from _alike(self.old.weights, self.new.weights)
            return
        for source, target in zip(old, new, strict=True):
            if source.trainable != target.trainable:
                target.trainable = source.trainable
            yield from _alike(_own(source), _own(target))

    def _learned(self) -> bool:
        """Copy what is not in variables: vocabularies, and what is derived from variables."""
        vocabulary = hasattr(self.old, "get_vocabulary") and hasattr(self.new, "set_vocabulary")
        if vocabulary:
            self.new.set_vocabulary(self.old.get_vocabulary(include_special_tokens=False))
        derived = hasattr(self.new, "finalize_state")
        if derived:
            self.new.finalize_state()
        return vocabulary or derived


def _alike(sources: list[Any], targets: list[Any]) -> Iterator[tuple[Any, Any]]:
    """By name where that tells them apart: quantizing a layer adds weights in another order."""
    here, there = ({_short(each): each for each in some} for some in (sources, targets))
    if len(here) == len(sources) and len(there) == len(targets) and here.keys() == there.keys():
        targets = [there[name] for name in here]
    if len(sources) == len(targets):
        for source, target in zip(sources, targets, strict=True):
            if tuple(source.shape) == tuple(target.shape):  # else a fold has given it more axes
                yield source, target


def _own(layer: Any) -> list[Any]:
    trainable = getattr(layer, "_trainable_variables", None)
    if trainable is None or not hasattr(layer, "_non_trainable_variables"):
        return [*layer._trainable_weights, *layer._non_trainable_weights]
    return [*trainable, *layer._non_trainable_variables]


def _parts(layer: Any) -> bool:
    """Whether other layers inside hold some of the weights."""
    return next(iter(layer._flatten_layers(include_self=False)), None) is not None


def _short(source: Any) -> str:
    return str(source.name).rpartition("/")[2].partition(":")[0]


def _read(source: Any) -> Any:
    """The value as a tensor. It shares the variable's memory until either is changed."""
    import tensorflow as tf

    return tf.convert_to_tensor(source)


def _tensor(source: Any, dtype: Any) -> Any:
    import tensorflow as tf

    # Converted, an array would be copied: it might be changed later. Not so these.
    own = isinstance(source, np.ndarray)
    value = tf.raw_ops.Identity(input=source) if own else _read(source)
    return value if value.dtype == dtype else tf.cast(value, dtype)


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    return sorted(tuple(map(int, each.shape)) for each in layer.weights)

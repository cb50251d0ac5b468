"""Leave layers as they were before calls of them were followed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from pytest_layercount.model.keras.adapter import Unseen
from pytest_layercount.model.keras.common import parts
from pytest_layercount.model.keras.origin import is_own
from pytest_layercount.model.keras.variables import array_of


@contextmanager
def as_it_was(layer: Any) -> Iterator[None]:
    """Put back what following its call changes in a layer and the parts of it.

    Raises:
        Unseen: the call changes what is the user's own, or values of variables.
    """
    held = list(parts(layer))
    before = [_State(part) for part in held]
    # Statistics, states and seeds, which a call may assign. Weights that train are many to copy.
    fixed = [(variable, array_of(variable).copy()) for variable in _untrained(layer)]
    # After the state was noted, so that the stand-ins are taken away like any other change.
    stand_ins = [(part, _instead(part)) for part in held]
    for part, attributes in stand_ins:
        vars(part).update(attributes)
    try:
        yield
    finally:
        changed = [
            state.put_back(stand_in) for state, (_, stand_in) in zip(before, stand_ins, strict=True)
        ]
        for variable, value in fixed:
            if array_of(variable).tobytes() != value.tobytes():
                variable.assign(value)
                changed.append(True)
    if any(changed):
        raise Unseen("its call() changes the layer")


def _untrained(layer: Any) -> list[Any]:
    trained = set(map(id, layer.trainable_weights))
    return [variable for variable in layer.variables if id(variable) not in trained]


def _instead(part: Any) -> dict[str, Any]:
    """Attributes to set on a part while a call is followed."""
    attributes: dict[str, Any] = {"add_weight": _no_weight}
    if getattr(part, "_functional", None) is not None:
        # A Sequential of Keras 3 runs on other sizes than it was built with, but
        # refuses symbolic ones: as an operation like others it does not.
        base: Any = next(cls for cls in type(part).__mro__ if cls.__name__ == "Operation")
        attributes["compute_output_spec"] = partial(base.compute_output_spec, part)
    return attributes


def _no_weight(*_: Any, **__: Any) -> None:
    raise Unseen("it would make a weight")


class _State:
    """The attributes of a layer, with copies of those that are lists, dictionaries or sets."""

    def __init__(self, layer: Any) -> None:
        self.layer, self.own = layer, not is_own(type(layer))
        self.cls: Any = type(layer)
        self.attributes = dict(vars(layer))
        self.contents = {
            key: [(held, held.copy()) for held in _containers(value)]
            for key, value in self.attributes.items()
            if key not in _NODES
        }

    def put_back(self, expected: Collection[str]) -> bool:
        """Restore all attributes; return whether any but ``expected`` and bookkeeping differed."""
        now = vars(self.layer)
        changed = {key for key in now.keys() | self.attributes.keys() if self._differs(key)}
        for key in changed:
            # In vars(), past the setattr of Keras, which would track what is put back.
            if key in self.attributes:
                now[key] = self.attributes[key]
            else:
                del now[key]
        for key, containers in self.contents.items():
            refilled = [_refilled(held, contents) for held, contents in containers]
            changed.update([key] if any(refilled) else ())
        # Keras's own layers may change as they like: what they keep is put back.
        return self.own and not changed - set(expected) <= _bookkeeping(self.cls)

    def _differs(self, key: str) -> bool:
        missing = object()
        # By identity: a comparison of tensors gives a tensor. What is in containers is put back
        # apart from this.
        return vars(self.layer).get(key, missing) is not self.attributes.get(key, missing)


_NODES = ("_inbound_nodes", "_outbound_nodes")
# The first that fits: what Keras makes of a list or dictionary derives from one of these.
_KINDS: tuple[Any, ...] = (list, dict, set)


def _containers(value: Any) -> list[Any]:
    """The lists, dictionaries or sets that an attribute is made of.

    Keras 2 keeps those of the user's in a wrapper, each beside a copy of what it last held.
    """
    names = ("_storage", "_last_wrapped_list_snapshot")
    if type(value).__name__ == "_DictWrapper":
        names = ("__wrapped__", "_self_last_wrapped_dict_snapshot")
    elif type(value).__name__ != "ListWrapper":
        return [value] if isinstance(value, _KINDS) else []
    return [held for name in names if isinstance(held := getattr(value, name, None), _KINDS)]


def _refilled(held: Any, contents: Any) -> bool:
    """Whether a container did not hold ``contents`` any more; it does now."""
    if _ids(held) == _ids(contents):
        return False
    kind: Any = next(kind for kind in _KINDS if isinstance(held, kind))
    kind.clear(held)  # what Keras 3 makes of a list would keep account of this
    kind.extend(held, contents) if kind is list else kind.update(held, contents)
    return True


def _ids(held: Any) -> Any:
    """What is in a container, by identity: tensors have no truth value."""
    if isinstance(held, dict):
        return {key: id(value) for key, value in held.items()}
    return list(map(id, held)) if isinstance(held, list) else set(map(id, held))


@lru_cache
def _bookkeeping(cls: Any) -> frozenset[str]:
    """The attributes that Keras itself gives to every layer."""
    base: Any = next(base for base in cls.__mro__ if base.__name__ == "Layer" and is_own(base))
    return frozenset({*vars(base()), "_build_shapes_dict", *_NODES})

"""Join the calls of a saved model: references become tensors, calls stand in Keras's order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_layercount.model.graph import Cycle, Shape, map_tree, needed
from pytest_layercount.model.keras.adapter import Call
from pytest_layercount.model.readers.files.calls import (
    Malformed,
    RawCall,
    Reference,
    ends_of,
    references_in,
)
from pytest_layercount.model.readers.files.classes import default_training
from pytest_layercount.model.readers.files.infer import Output, outputs_of, shape_from
from pytest_layercount.model.readers.files.saved_layer import (
    Network,
    SavedLayer,
    SavedTensor,
    tensors_in,
    tensors_of_call,
)

Key = tuple[str, int]
"""A call in a configuration: a layer's name, and which of its calls."""


class Joining:
    """Joins the calls of one functional graph.

    ``calls`` are those of each layer by its name. ``lists`` says that the file writes a list of
    inputs only where the model takes one. ``taken`` notes, for each call, which of its outputs
    others refer to, and ``tensors`` what its outputs are, once it was joined.
    """

    def __init__(
        self,
        layers: dict[str, SavedLayer],
        calls: dict[str, list[RawCall]],
        config: Mapping[str, Any],
        generation: int,
        *,
        lists: bool,
    ) -> None:
        self.layers, self.calls, self.generation = layers, calls, generation
        self.starts, self.goals = (
            ends_of(config[name]) for name in ("input_layers", "output_layers")
        )
        # A file with one end that is bare writes lists only where the model has them.
        single = isinstance(self.starts, Reference) or isinstance(self.goals, Reference)
        if not lists and not single:
            self.starts, self.goals = _unpacked(self.starts), _unpacked(self.goals)
        self.first = self._first_indices()
        self.taken: dict[Key, dict[int, Reference]] = {}
        self.tensors: dict[Key, list[SavedTensor]] = {}

    def network(self) -> Network:
        parents: dict[Key, list[Key]] = {}
        for name, calls in self.calls.items():
            for number, call in enumerate(calls):
                keys = [self._key(reference) for reference in references_in(call)]
                parents[name, number] = keys
        entries = [self._key(reference, end=True) for reference in references_in(self.starts)]
        goals = [self._key(reference, end=True) for reference in references_in(self.goals)]
        try:
            order, keras_order = _in_keras_order(goals, parents, entries)
            more = _added(keras_order, parents) if self.generation == 2 else []
        except Cycle as cycle:
            name, _ = cycle.args[0]
            raise Malformed(f"the layer {name} needs its own result") from None
        # In an order in which each call comes after what it reads; the network has Keras's order.
        made = {key: self._made(key) for key in (*order, *more)}
        inputs = map_tree(self.starts, lambda leaf: self._tensor(leaf, end=True))
        outputs = map_tree(self.goals, lambda leaf: self._tensor(leaf, end=True))
        return Network(
            layers=list(self.layers.values()),
            calls=[made[key] for key in (*keras_order, *more)],
            inputs=inputs,
            outputs=outputs,
            entries=tensors_in(inputs),
        )

    def _first_indices(self) -> dict[str, int]:
        """The number of the first call of each nested model in a file of Keras 2.

        It is 1 where the model has made a call of itself before, else 0.
        """
        firsts: dict[str, int] = {}
        if self.generation == 2:
            trees = [call for calls in self.calls.values() for call in calls]
            for reference in references_in((trees, self.starts, self.goals)):
                before = firsts.get(reference.layer, reference.call)
                firsts[reference.layer] = min(before, reference.call)
        return {name: min(first, 1) for name, first in firsts.items() if self._is_model(name)}

    def _is_model(self, name: str) -> bool:
        layer = self.layers.get(name)
        return layer is not None and (layer.network is not None or layer.sequential)

    def _key(self, reference: Reference, *, end: bool = False) -> Key:
        name, number = reference.layer, reference.call
        if name not in self.layers:
            raise Malformed(f"a call refers to the layer {name!r}, which is not there")
        # A nested functional model has made a call of itself, number 0, which the file leaves out.
        # Its first call in this model is ["inner", 1, 0] in Keras 2; in Keras 3 that at the ends
        # alone, and ["inner", 0, 0] in arguments of calls. A Sequential of Keras 3 is always
        # numbered from 0.
        count, layer = len(self.calls[name]), self.layers[name]
        if self.generation == 2:
            number -= self.first.get(name, 0)
        elif end and layer.network is not None and not layer.sequential:
            number -= 1  # as Keras 3 numbers the calls of functional models, at the ends only
        # A layer with one call leaves no doubt, whatever the number.
        if not 0 <= number < count and count == 1:
            number = 0
        if not 0 <= number < count:
            raise Malformed(f"a call refers to call {number} of {name!r}, which has {count}")
        key = (name, number)
        if not end:
            self.taken.setdefault(key, {})[reference.tensor] = reference
        return key

    def _tensor(self, reference: Any, *, end: bool = False) -> Any:
        if not isinstance(reference, Reference):
            return reference
        key = self._key(reference, end=end)
        tensors = self.tensors[key]
        if not 0 <= reference.tensor < len(tensors):
            if not 0 <= reference.tensor < 1000:
                raise Malformed(f"{key[0]!r} has no output {reference.tensor}")
            # An output that only code knows: a user's layer may return more than we can tell. The
            # limit keeps a file from asking for a list without end.
            missing = range(len(tensors), reference.tensor + 1)
            tensors += [SavedTensor(self.layers[key[0]], None) for _ in missing]
        return tensors[reference.tensor]

    def _made(self, key: Key) -> Call:
        """The call, its arguments resolved and its outputs known as far as they can be."""
        layer, raw = self.layers[key[0]], self.calls[key[0]][key[1]]
        args, kwargs = map_tree((raw.args, raw.kwargs), self._tensor)
        # What it was built with is the shape of its first call; of several, which is first is
        # unknown.
        if len(self.calls[key[0]]) == 1:
            _fill_in(tensors_of_call(layer, args, kwargs), layer.noted)
        if layer.type == "InputLayer":
            shape, dtype = entry_of(layer)
            self.tensors[key] = [SavedTensor(layer, shape, dtype)]
            return Call(layer, (), {}, self.tensors[key], None)
        references = self.taken.get(key, {})
        known = called(layer, args, kwargs)
        outputs = self.tensors[key] = []
        for number in range(
            max([len(known), *(index + 1 for index in references if index < 1000)])
        ):
            output = known[number] if number < len(known) else Output(None)
            reference = references.get(number)
            if reference is not None and reference.dtype:
                # Keras 3.3 notes what the reader makes of a layer's result, not the layer.
                known_better = layer.builtin and "float" in output.dtype and layer.operation is None
                dtype = output.dtype if known_better else reference.dtype
                output = Output(reference.shape, dtype, output.masked)
            outputs.append(SavedTensor(layer, output.shape, output.dtype, masked=output.masked))
        return Call(layer, args, kwargs, outputs, raw.training)


def called(layer: SavedLayer, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Output]:
    """The outputs of a call, which builds the layer if it is the first."""
    inputs = tensors_of_call(layer, args, kwargs)
    # As in Keras, the first call builds the layer: later ones may be on other sizes.
    if not layer.built:
        layer.built = tuple(tensor.shape for tensor in inputs)
    if layer.network is None and layer.pending is not None and len(inputs) == 1:
        layer.network = layer.pending(inputs[0].shape, inputs[0].dtype)
    return outputs_of(layer, args, kwargs)


def _fill_in(tensors: list[SavedTensor], noted: Any) -> None:
    """Learn from what a layer was built with the shape of what a user's own layer returns."""
    shapes = [noted] if len(tensors) == 1 else noted
    if isinstance(shapes, list) and len(shapes) == len(tensors):
        for tensor, shape in zip(tensors, shapes, strict=True):
            if tensor.shape is None:
                tensor.shape = shape_from(shape)


def chained(entry: SavedLayer, layers: list[SavedLayer], shape: Shape, dtype: str) -> Network:
    """Layers called one after the other."""
    start = tensor = SavedTensor(entry, shape, dtype or "float32")
    calls = [Call(entry, (), {}, [start], None)]
    for layer in layers:
        _fill_in([tensor], layer.noted)
        known = called(layer, (tensor,), {}) or [Output(None)]
        outputs = [SavedTensor(layer, one.shape, one.dtype, masked=one.masked) for one in known]
        calls.append(Call(layer, (tensor,), {}, outputs, default_training(layer)))
        tensor = outputs[0]
    return Network([entry, *layers], calls, start, tensor, [start])


def entry_of(layer: SavedLayer) -> tuple[Shape, str]:
    """The shape and data type an InputLayer, or an old first layer, gives its model."""
    config = layer.config
    shape = shape_from(config.get("batch_shape", config.get("batch_input_shape")))
    dtype = config.get("dtype")
    return shape, dtype if isinstance(dtype, str) else "float32"


def _unpacked(ends: Any) -> Any:
    """A single input or output, which all but the newest versions write as a list of one."""
    return ends[0] if isinstance(ends, list) and len(ends) == 1 else ends


def _in_keras_order(
    ends: list[Key], parents: Mapping[Key, list[Key]], entries: list[Key]
) -> tuple[list[Key], list[Key]]:
    """The calls that ``ends`` need: in an order to compute them, and in Keras's order.

    Keras sorts by how far a call is from the end, the farthest first; all calls of
    a layer count as far as the farthest of those already seen. Ties are in the
    order in which a walk from the end comes upon them.

    Raises:
        Cycle: some of them need one another.
    """
    finished = needed(ends, parents.__getitem__)
    depths: dict[Key, int] = {}
    of_layers: dict[str, int] = {}
    # The same as map_graph() of Keras: from the outputs up, so that each call's depth is final
    # before it is handed on to what it reads.
    for key in reversed(finished):
        depth = max(depths.setdefault(key, 0), of_layers.get(key[0], 0))
        depths[key] = of_layers[key[0]] = depth
        # A call is one deeper than the deepest that reads it.
        for parent in parents[key]:
            depths[parent] = max(depth + 1, depths.get(parent, 0))
    # Inputs that no output needs: Keras gives them depth 0.
    for key in entries:
        depths.setdefault(key, 0)
    known = set(finished)
    unused = [key for key in dict.fromkeys(entries) if key not in known]
    return unused + finished, sorted(depths, key=lambda key: -depths[key])


def _added(known: list[Key], parents: Mapping[Key, list[Key]]) -> list[Key]:
    """The calls that no output needs, in the order in which Keras 2 adds them to a model.

    ``add_loss`` and ``add_metric`` make them. Each comes after what it takes, and all after
    the calls that are ``known``.

    Raises:
        Cycle: some of them need one another.
    """
    depths = dict.fromkeys(known, 0)
    more = [key for key in needed(list(parents), parents.__getitem__) if key not in depths]
    for key in more:
        # Here depth counts down the graph, away from the known calls.
        depths[key] = 1 + max((depths[parent] for parent in parents[key]), default=0)
    return sorted(more, key=lambda key: depths[key])

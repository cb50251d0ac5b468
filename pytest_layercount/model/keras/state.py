"""What a copy of a layer has to hold: the weights of its original, or those of a fold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from pytest_layercount.model.keras.common import parts, states_of, variables_of
from pytest_layercount.model.keras.config import keep_functions, keep_settings
from pytest_layercount.model.keras.initial import set_initial, unset_initial
from pytest_layercount.model.keras.likeness import difference
from pytest_layercount.model.keras.tables import copy_tables, derive, learn_derived, learns_table
from pytest_layercount.model.keras.variables import short_name, tensor_of, variable
from pytest_layercount.model.quick import quick


class Unlike(Exception):
    """A copy that differs from its original; the text says where."""


class State:
    """The state to give ``new``, a copy of ``old`` that has not been called.

    ``weights`` are new values by name, where they are not those of ``old``; the
    variables may keep these arrays, which belong to nobody else. ``changed`` names
    attributes that a fold sets otherwise; see :func:`difference` for ``loosely``.
    Values are known in advance by the names that the layer makes its variables
    under; :meth:`settle`, after the first call, goes by what is known for
    certain, and assigns whatever turned out otherwise.
    """

    def __init__(
        self,
        old: Any,
        new: Any,
        weights: Mapping[str, NDArray[Any]],
        changed: frozenset[str] = frozenset(),
        loosely: bool = False,
    ) -> None:
        self.old, self.new, self.weights = old, new, weights
        self.changed, self.loosely = changed, loosely
        keep_functions(old, new, changed)
        keep_settings(old, new, changed)
        self.begun: dict[int, Any] = {}
        self.compared = True
        self.carried: list[tuple[Any, Any]] = []
        self.told = [type(part) for part in parts(new)]
        # Tables come first: a call needs them.
        if learns_table(old):
            copy_tables(old, new)
        # Only where there are no parts: a name may stand for a variable of each.
        elif len(self.told) == 1 and quick():
            self.begun = set_initial(new, self._expected())

    def settle(self) -> bool:
        """Bring all variables to their values; return whether any had to be assigned.

        Raises:
            Unlike: the two have other variables or attributes.
        """
        unset_initial(self.new)
        targets = [(self._target(name), array) for name, array in self.weights.items()]
        targeted = {id(target) for target, _ in targets}
        others = [
            (there, here) for here, there in self._pairs(targeted) if id(there) not in targeted
        ]
        late = False
        for target, value in (*others, *targets):
            # A variable that began with this very value has it already.
            if self.begun.get(id(target)) is not value:
                target.assign(tensor_of(value, target.dtype))
                late = True
        # Again: the first call may have made parts that did not exist before.
        late = keep_functions(self.old, self.new, self.changed) or late
        late = self._learned() or late
        self.carried = list(zip(states_of(self.new), states_of(self.old), strict=False))
        carry_on(self.carried)
        late = bool(self.carried) or late
        unlike = self.compared and difference(
            self.old, self.new, self.changed | self._rewritten(), self.loosely
        )
        if unlike:
            raise Unlike(unlike)
        return late

    def _learned(self) -> bool:
        """Set what is not in variables, such as tables of parts that the first call made."""
        late = learns_table(self.old) and self.told != [type(part) for part in parts(self.new)]
        if late:
            copy_tables(self.old, self.new)
        if not self.compared:
            learn_derived(self.old, self.new)
        return derive(self.new) or late

    def _rewritten(self) -> set[str]:
        """The attributes with the new weights, and those that a Normalization derives from them."""
        names = {name.rpartition(".")[2] for name in self.weights}
        return (
            names | {"mean", "variance"} if names and hasattr(self.new, "finalize_state") else names
        )

    def _target(self, name: str) -> Any:
        target = variable(self.new, name)
        assert target is not None, f"{self.new.name} has no {name}"
        return target

    def _expected(self) -> dict[str, Any]:
        """Values by the names under which variables are made."""
        values: dict[str, Any] = {short_name(source): source for source in variables_of(self.old)}
        for name, array in self.weights.items():
            source = variable(self.old, name)
            values[name if source is None else short_name(source)] = array
        return values

    def _pairs(self, targeted: set[int]) -> list[tuple[Any, Any]]:
        """Pairs of (original, copy) variables; those in ``targeted`` need no pair.

        Raises:
            Unlike: one of them has no counterpart.
        """
        # Two ways, the surer one first: part by part, then all variables by name.
        pairs = list(self._part_by_part())
        if self._covered(pairs, targeted):
            return pairs
        # Wrappers that quantize move variables from the layer inside to themselves.
        pairs = list(_alike(variables_of(self.old), variables_of(self.new)))
        if self._covered(pairs, targeted):
            return pairs
        here, there = (_listed(layer) for layer in (self.old, self.new))
        raise Unlike(f"its variables are {there}, not {here}")

    def _part_by_part(self) -> Iterator[tuple[Any, Any]]:
        """Pairs of variables, of parts in the order in which Keras tracks them.

        The order of ``layer.weights`` would depend on which of the parts are frozen.
        """
        old, new = list(parts(self.old)), list(parts(self.new))
        if len(old) != len(new):
            return
        for source, target in zip(old, new, strict=True):
            # A user may have set the flag of a part, and no configuration need hold it.
            if source.trainable != target.trainable:
                target.trainable = source.trainable
            yield from _alike(_own(source), _own(target))

    def _covered(self, pairs: list[tuple[Any, Any]], targeted: set[int]) -> bool:
        """Whether every variable of the copy gets a value, and none of the original is lost.

        A fold knows which it has replaced.
        """
        here, there = ({id(pair[side]) for pair in pairs} for side in (0, 1))
        lost = any(id(variable) not in here for variable in variables_of(self.old)) and not targeted
        return not lost and all(
            id(variable) in there | targeted for variable in variables_of(self.new)
        )


def carry_on(carried: Iterable[tuple[Any, Any]]) -> None:
    """Give copies of recurrent layers the states with which their originals will begin."""
    for target, source in carried:
        target.assign(tensor_of(source, target.dtype))


def _alike(sources: list[Any], targets: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Pair variables by name where names are unique, else by order.

    Quantizing a layer adds weights in another order.
    """
    here, there = (
        {short_name(variable): variable for variable in some} for some in (sources, targets)
    )
    # By name, unless both have as many variables under other names: those pair by order. Other
    # numbers are no fault, since a fold adds a bias.
    named = len(here) == len(sources) and len(there) == len(targets)
    if named and (here.keys() == there.keys() or len(here) != len(there)):
        pairs = [(here[name], there[name]) for name in here if name in there]
    else:
        pairs = list(zip(sources, targets, strict=True)) if len(sources) == len(targets) else []
    for source, target in pairs:
        if tuple(source.shape) == tuple(target.shape):  # else a fold has given it more axes
            yield source, target


def _own(layer: Any) -> list[Any]:
    trainable = getattr(layer, "_trainable_variables", None)
    if trainable is None or not hasattr(layer, "_non_trainable_variables"):
        own = [*layer._trainable_weights, *layer._non_trainable_weights]
    else:
        own = [*trainable, *layer._non_trainable_variables]
    return [variable for variable in own if hasattr(variable, "shape")]


def _listed(layer: Any) -> str:
    """The variables of a layer, the first of them by name and shape."""
    variables = variables_of(layer)
    first = [f"{short_name(variable)} {tuple(variable.shape)}" for variable in variables[:4]]
    more = f" and {len(variables) - 4} more" if len(variables) > 4 else ""
    return (", ".join(first) or "none") + more

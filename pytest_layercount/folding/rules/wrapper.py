"""TimeDistributed: a layer applied to each time step by itself.

The wrapper is what its inner layer is, with one more axis: axis 1, which the inner
layer never sees. A map along that axis differs from step to step and cannot
move; any other runs along one axis less inside. So each question is handed to the
rule of the inner layer, with axis 1 taken out of shapes and map, and each answer
is given one axis more. The weights are those of the inner layer.

With a fixed batch size Keras 2 loops over the steps. Where a mask then hides one it
repeats the last result, or zeros: no per-channel map is certain there.
"""

from __future__ import annotations

from dataclasses import replace

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.rule import Absorbs, Maps, Route, Rule, Side, Site, Stop, Weights
from pytest_layercount.model.graph import Shape

_TIME = 1


class TimeDistributed(Rule):
    """The rule of a TimeDistributed whose inner layer has the rule ``inner``."""

    def __init__(self, inner: Rule) -> None:
        self.inner = inner
        self.weights = tuple(f"layer.{name}" for name in inner.weights)
        self.training_matters = inner.training_matters

    def removable(self, site: Site) -> bool:
        return self.inner.removable(_inside(site))

    def affine(self, site: Site, weights: Weights | None) -> Affine | None:
        inner = None if weights is None else _unprefixed(weights)
        affine = self.inner.affine(_inside(site), inner)
        if affine is None:
            return None
        if _repeats(site):
            raise Stop("nonlinear")
        return _outward(affine)

    def absorb(self, site: Site, side: Side, maps: Maps) -> Absorbs | None:
        inward = _inward(site, maps)
        return _changed(site, self.inner.absorb(_inside(site), side, inward))

    def absorbed(self, site: Site, side: Side, weights: Weights, maps: Maps) -> dict[str, Array]:
        own, inward = _unprefixed(weights), _inward(site, maps)
        new = self.inner.absorbed(_inside(site), side, own, inward)
        return {f"layer.{name}": array for name, array in new.items()}

    def pass_up(self, site: Site, affine: Affine) -> tuple[Route, ...]:
        routes = self.inner.pass_up(_inside(site), _inward(site, {0: affine})[0])
        return tuple(map(_widened, routes))

    def pass_down(self, site: Site, maps: Maps) -> Route:
        return _widened(self.inner.pass_down(_inside(site), _inward(site, maps)))


def _inside(site: Site) -> Site:
    """The call of the inner layer for one time step."""
    (inner,) = site.layer.wrapped.values()
    inputs, outputs = (tuple(map(_without_time, shapes)) for shapes in (site.inputs, site.outputs))
    return Site(inner, replace(site.node, shapes=outputs), inputs, outputs)


def _without_time(shape: Shape) -> Shape:
    return None if shape is None else (*shape[:_TIME], *shape[_TIME + 1 :])


def _repeats(site: Site) -> bool:
    """Whether the result of one step may stand in for that of another which a mask hides."""
    masked = any(site.node.masked) or "mask" in site.node.kwargs
    return masked and (site.input is None or site.input[0] is not None)


def _inward(site: Site, maps: Maps) -> dict[int, Affine]:
    """The maps as the inner layer meets them."""
    if _repeats(site):
        raise Stop("nonlinear")
    return {slot: _narrowed(affine) for slot, affine in maps.items()}


def _narrowed(affine: Affine) -> Affine:
    if affine.axis is None:
        return affine
    # Along the time it would be another map for each step, along the batch another for each sample.
    if affine.axis <= _TIME:
        raise Stop("channel-axis")
    return affine.along(affine.axis - 1, affine.channels)


def _outward(affine: Affine) -> Affine:
    if affine.axis is None:
        return affine
    # The inner axis 0 is the batch, which stays in front of the time.
    return affine.along(affine.axis + (affine.axis >= _TIME), affine.channels)


def _widened(route: Route) -> Route:
    return replace(route, maps={slot: _outward(affine) for slot, affine in route.maps.items()})


def _changed(site: Site, answer: Absorbs | None) -> Absorbs | None:
    """Changes of the inner layer as a change of the wrapper."""
    if answer is None or not answer.changes:
        return answer
    (inner,) = site.layer.wrapped.values()
    # The inner layer is an attribute of the wrapper, so that is what changes.
    config = {**inner.config, **answer.changes}
    return replace(answer, changes={"layer": replace(inner, config=config)})


def _unprefixed(weights: Weights) -> Weights:
    return {name.removeprefix("layer."): array for name, array in weights.items()}

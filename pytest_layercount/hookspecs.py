"""The hooks that users and other plugins implement, in a conftest.py or a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pytest_layercount.folding.rules.base import Rule

hookspec = pluggy.HookspecMarker("pytest")


@hookspec(firstresult=True)
def pytest_layercount_rule(layer: Any) -> Rule | None:
    """The folding rule for a layer of your own, None for all that you do not know.

    ``layer`` is the live Keras layer. It is asked for layers that are not
    Keras's own, a subclass of a Keras layer included: what holds for its parent
    need not hold for it. The answer is an instance of a subclass of
    ``pytest_layercount.Rule``, which answers the four questions about per-channel
    affine maps.
    """

"""The hooks that users and other plugins implement, in a conftest.py or a plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pytest_layercount.folding.rule import Rule

callers: list[Callable[..., Any]] = []
"""The hook ``pytest_layercount_rule`` of each pytest that runs in this process."""

hookspec = pluggy.HookspecMarker("pytest")


@hookspec(firstresult=True)
def pytest_layercount_rule(layer: Any) -> Rule | None:
    """The folding rule for a layer of your own, None for all that you do not know.

    ``layer`` is the live Keras layer. It is asked for layers that are not
    Keras's own, a subclass of a Keras layer included: what holds for its parent
    need not hold for it; also for those inside Keras's TimeDistributed and
    Bidirectional. The answer is an instance of a subclass of
    ``pytest_layercount.Rule``, which answers the four questions about per-channel
    affine maps.
    """


def answer_through(caller: Callable[..., Any]) -> Callable[[], None]:
    """Ask ``caller`` for rules until the function returned is called."""
    callers.append(caller)
    return lambda: callers.remove(caller)

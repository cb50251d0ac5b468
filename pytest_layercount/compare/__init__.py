"""Why two models count differently, step by step.

=========================  =====================================================================
:mod:`.source`             the two models, and how to read their weights
:mod:`.plain`              each in its plain form (:mod:`.form`), in which what computes the same
                           looks the same: :mod:`.rewrites` writes alike what can be written in
                           several ways, :mod:`.absorb` takes up what may be absent; how steps are
                           told apart is in :mod:`.vocabulary`
:mod:`.diff`               steps aligned by what they are and how they are wired, through
                           :mod:`.sequences` where both models changed
:mod:`.pairing`            nodes in pairs and groups (:mod:`.partition`): :mod:`.moves` and
                           :mod:`.heads` mend what aligning cannot see, :mod:`.regions` says of what
                           stands alone why, :mod:`.changes` what differs in a pair
:mod:`.tally`              the groups as :mod:`.causes`, whose deltas sum to the difference, with
                           :mod:`.nesting` and :mod:`.openings` for models and layers inside
:mod:`.confirm`            whether the weights agree
=========================  =====================================================================

:mod:`.explain` runs them.
"""

from pytest_layercount.compare.explain import Explanation, explain

__all__ = ["Explanation", "explain"]

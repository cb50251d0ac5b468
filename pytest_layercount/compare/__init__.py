"""Two models, or one model and its past: what differs, and why."""

from pytest_layercount.compare.explain import Explanation, explain

__all__ = ["Explanation", "explain"]

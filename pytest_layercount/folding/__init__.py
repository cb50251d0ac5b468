"""What a model becomes at inference."""

from pytest_layercount.folding.fold import fold
from pytest_layercount.folding.plan import Plan
from pytest_layercount.folding.planned import plan_fold

__all__ = ["Plan", "fold", "plan_fold"]

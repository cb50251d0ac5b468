"""What a model becomes at inference."""

from pytest_layercount.folding.fold import fold, plan_fold
from pytest_layercount.folding.plan import Plan

__all__ = ["Plan", "fold", "plan_fold"]

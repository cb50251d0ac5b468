"""What walkers of graphs import: the plain data that ``read_graph`` returns."""

from __future__ import annotations

from pytest_layercount.model.graph import Layer, ModelGraph, Node, Value

__all__ = ["Layer", "ModelGraph", "Node", "Value"]

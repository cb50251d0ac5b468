"""Tests of pytest_layercount.cli."""

"""The examples are a user's tests: they import Keras, so they need it installed."""

from tests.conftest import has_keras

collect_ignore_glob = ["pull_request", *["test_*.py"] * (not has_keras())]

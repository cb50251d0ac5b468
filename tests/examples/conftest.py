"""The examples are a user's tests: they import Keras, so they need it installed."""

from tests.conftest import has_keras

collect_ignore_glob = [] if has_keras() else ["test_*.py"]

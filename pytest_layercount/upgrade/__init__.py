"""Record the models of a run, and compare them with those of another TensorFlow.

What a fixture returns is recorded when it is set up, before a test can change it. The
records travel to the controller on the reports of the tests, as JSON; models stay
where they are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_layercount import messages
from pytest_layercount.errors import LayercountError
from pytest_layercount.files import no_place
from pytest_layercount.settings import settings
from pytest_layercount.text import printable
from pytest_layercount.upgrade.ending import Ending
from pytest_layercount.upgrade.reference import reference
from pytest_layercount.upgrade.watch import Watch


def activate(config: pytest.Config) -> None:
    """Record or compare in this run, as an option says."""
    asked = settings(config)
    try:
        known = None if asked.against is None else reference(asked)
    except LayercountError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(Watch(asked, known), "layercount-watch")
    if not hasattr(config, "workerinput"):
        problem = no_place(Path(asked.record)) if asked.record else ""
        if problem:
            text = messages.reports.no_place("record", str(asked.record), problem)
            raise pytest.UsageError(printable(text))
        config.pluginmanager.register(Ending(asked, known), "layercount-ending")

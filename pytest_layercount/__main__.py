"""``python -m pytest_layercount`` is the command ``layercount``."""

import sys

from pytest_layercount.cli import main

sys.exit(main())

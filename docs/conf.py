"""How Sphinx builds these pages: ``tox -e docs``."""

project = "pytest-layercount"
author = "pytest-layercount contributors"
html_title = project
html_theme = "furo"
# A block says itself what it is; what says nothing is plain text.
highlight_language = "none"
# Error texts and options are shown as they are written.
smartquotes = False

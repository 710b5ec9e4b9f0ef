"""How `make docs` builds the pages. Which there are, and in which order, README.md beside this file says."""

from docs import site

project = "hybrid job orchestrator"
author = "its authors"
root_doc = "README"
extensions = ["myst_parser"]
exclude_patterns = ["*.py", "__pycache__"]

myst_heading_anchors = 4  # links to headings are checked too, by the names that a Git host gives them
nitpicky = True
highlight_language = "none"
show_warning_types = True

html_theme = "furo"
html_title = project
html_copy_source = html_show_sourcelink = False
html_show_copyright = False
html_static_path = ["static"]
html_extra_path: list[str] = []
html_theme_options = {"navigation_with_keys": True}


def setup(app: site.Sphinx) -> None:
    """What a Git host does by itself, or cannot do."""
    site.install(app)

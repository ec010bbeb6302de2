"""How `make docs` makes a site of these pages: strictly, and without anything from elsewhere."""

# ruff: noqa: INP001 - a folder of pages is no package

project = "tls-stress"
author = "the tls-stress authors"
root_doc = "index"
extensions = ["myst_parser"]
highlight_language = "none"
exclude_patterns = ["conf.py", "man"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

html_theme = "alabaster"  # comes with Sphinx, uses the reader's own fonts
html_theme_options = {
    "description": "Finds the TLS node that fails now and then.",
    "fixed_sidebar": False,
    "show_powered_by": False,
    "page_width": "1100px",
    "body_max_width": "46em",
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_copy_source = False
html_show_sourcelink = False
html_title = "tls-stress"
html_static_path = ["_static"]
html_css_files = ["site.css"]

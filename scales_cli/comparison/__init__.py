"""One picture by several models, side by side in a page."""

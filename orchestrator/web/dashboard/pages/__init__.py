"""One file for each page, with what is done there."""

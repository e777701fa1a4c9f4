"""The pictures of a study, as charts that a file or the page can show."""

"""From labelled videos to weights."""

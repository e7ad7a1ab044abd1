"""From a video file to frames and true times, in one bounded pass."""

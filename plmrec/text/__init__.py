"""Pure functions of strings: cleaning, passages, subtitles."""

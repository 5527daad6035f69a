"""The life of a release: candidate, challenger, champion, retired."""

"""From texts to unit vectors: one backend a file behind the protocol in ``base``."""

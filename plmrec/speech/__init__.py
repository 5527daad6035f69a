"""From media to segments: one backend a file behind the protocol in ``base``."""

"""From histories to scores: one recommender a file behind the protocol in ``base``."""

"""From texts to meaning: language, summary, keywords, topics, sentiment, tags; one subject a file."""

"""From texts to meaning: language, summary, keywords, topics, sentiment, tags; a subject a file."""

"""What a document says: its language, summary, keywords, topic, mood and tags."""

"""What a snapshot is made of: its items, and what they come to together."""

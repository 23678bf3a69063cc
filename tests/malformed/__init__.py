"""Input that no sound sender writes, made by Hypothesis: messages, tasks, events, records."""

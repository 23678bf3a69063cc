"""The nouns: payloads, retries, events, messages, histories."""

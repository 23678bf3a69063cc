"""One turn, from a message to a commit and what it causes; knows ports, no technology."""

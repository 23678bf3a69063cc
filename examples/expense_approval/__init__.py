"""An expense waits for a human, for three days each."""

"""What is true: pure rules on issues, words, merges and prompts."""

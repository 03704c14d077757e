"""What a person runs: the `issuebridge` command, the local stack, the demo. Not in any Lambda."""

"""The core: what a workflow means and how a run moves. It imports no other room of the house."""

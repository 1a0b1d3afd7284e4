"""The sales story: an orchestrator has a quarter computed, charted and summed up."""

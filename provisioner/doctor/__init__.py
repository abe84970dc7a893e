"""`provisioner doctor`: collects facts about the stack, and judges them."""

"""Composio on one machine: its REST API, consent page and signed webhooks, in memory.

Run it with `python -m local.simulator`; drive it with `local.simulator.client.Simulator`.
Everything under `/api` behaves as Composio documents it, everything under `/_control` is ours.
"""

"""Injects faults at every call that the real handler makes, and checks its promises.

Read `state` (one moment of the world), `steps` (what can happen next) and `promises` (what must
hold) first. `system` runs the functions over models of DynamoDB, SQS and Composio; before each
call it asks a chooser for one of the `faults`. `sequential` tries every fault with one invocation
at a time, `interleaved` every order of concurrent ones, and `machine` random histories.
`mutants` break the handler on purpose, to show that the promises notice.
"""

"""`make demo`: users connect accounts while things go wrong, and each gets one MCP endpoint."""

"""The one-machine stand-in for AWS and Composio: nothing of it is deployed."""

"""Runs the application on this machine: AWS emulator, Composio simulator, demo. Not deployed."""

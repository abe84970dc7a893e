"""`provisioner`: the operator's command line. Not part of the Lambda package."""

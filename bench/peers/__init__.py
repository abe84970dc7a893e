"""What is measured beside this project, each as its author would ship it."""

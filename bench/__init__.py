"""What it costs: this project beside its floor and beside what one would otherwise write."""

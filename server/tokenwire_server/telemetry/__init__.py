"""What operators see of the gateway: access lines and metrics."""

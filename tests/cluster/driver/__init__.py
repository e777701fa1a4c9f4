"""What the driver checks, orders and goes on with."""

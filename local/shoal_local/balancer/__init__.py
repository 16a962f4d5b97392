"""Application Load Balancers whose listeners answer on loopback."""

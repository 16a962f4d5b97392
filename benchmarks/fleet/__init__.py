"""A discrete-event model of fleets of GPU workers: ours, documented alarms, and deepsea-ai's stack."""

"""`shoal demo`: the whole house on one machine, from template.yaml to an empty account."""

"""The REST face: a guard, problem documents, and what each route does."""

"""A plan as files that devices and their tools read: one file a format."""

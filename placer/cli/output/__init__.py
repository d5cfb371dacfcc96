"""One file a report: what commands print."""

"""The report: one HTML page with the answer to each question of analyses/."""

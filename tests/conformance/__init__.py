"""dbt-redshift's own functional tests, run against the stand-in for Redshift. See run.py."""

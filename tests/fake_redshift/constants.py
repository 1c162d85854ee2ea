"""The names that every cluster has."""

DATABASE = "dev"
USER = "awsuser"
BUCKET = "fake-redshift"

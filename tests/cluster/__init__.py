"""The tests of the stand-in and of the pipeline, on a cluster. docs/cluster.md says how.

`python -m tests.cluster` (the command) starts pytest with `--cluster NAME`, in which
- `plugin` chooses the tests, and writes `report`'s table,
- `RealCluster` takes the place of FakeRedshift, and `names` those of its schemas and bucket.
"""

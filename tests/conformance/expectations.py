"""The tests that do not apply to the stand-in, and those it is known to fail.

A key is a test's id or the beginning of several ids.
"""

PACKAGE = "dbt-redshift==1.11.2"
NEEDS = (
    *("dbt-core>=1.11,<1.12", "dbt-tests-adapter>=1.20,<1.21"),
    *("pytest>=8,<9", "pytest-xdist", "pytest-mock", "freezegun"),
)

# Why a test or a folder does not apply.
NOT_APPLICABLE: dict[str, str] = {
    "test_auth_method.py::TestIAM": "signs in through AWS IAM",
    "test_auth_method.py::TestIam": "signs in through AWS IAM Identity Center",
    "adapter/empty/test_empty.py::TestRedshiftEmptySeedFlag": "needs dbt-core 1.12: seed --empty",
    "adapter/cross_database/": "needs a second database",
    "adapter/hyphenated_database/": "needs a second database",
}

# Why a test or a class fails.
EXPECTED_FAILURES: dict[str, str] = {
    "adapter/test_late_binding_view.py::TestLateBindingView": (
        "a late-binding view's sources must exist when it is created"
    ),
    "adapter/test_persist_docs.py::TestPersistDocsQuotedDescriptionNotAppliedOnMismatch": (
        "names in quotes fold to lower case, as without enable_case_sensitive_identifier"
    ),
}

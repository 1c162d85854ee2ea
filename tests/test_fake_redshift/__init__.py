"""Tests of the stand-in for Redshift. Brackets name the source of what Redshift does:

[guide:PAGE]          https://docs.aws.amazon.com/redshift/latest/dg/PAGE.html
[toolkit:FILE]        redshift-guide/references/FILE in github.com/aws/agent-toolkit-for-aws
[dbt-redshift:FILE], [dbt-core:FILE], [driver:FILE]     source of dbt-redshift, of dbt-core or
                      dbt-adapters, of redshift_connector
[public: WHERE]       a public issue or repository; without WHERE, messages quoted in many of them
[from memory]         not verified
"""

{#
    The slash at the end keeps COPY from reading other names with the same prefix.
    https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-source-s3.html
#}
{% macro redshift_load_prefix_sql(source_table, is_gzip) -%}
{%- set location = modules.re.sub(
    "^(?i:s3[an]?)://", "s3://", raw_source(source_table).external.location
) -%}
{%- if not location.startswith("s3://") -%}
    {%- do exceptions.raise_compiler_error(
        "Redshift can only read S3, but the location of " ~ source_table ~ " is "
        ~ ("the folder " ~ location if location | trim else "empty") ~ ": set "
        ~ raw_source(source_table).config.meta.location_variable
        ~ " to s3://bucket/prefix/."
    ) -%}
{%- endif -%}
begin;

{{ redshift_begin_load_sql(source_table, none) }};

{{ replace_loads_sql(source_table, "all") }}
{{ redshift_copy_sql(
    source_table, location.rstrip("/") ~ "/", ["gzip"] if is_gzip else []
) }};

{{ redshift_end_load_sql(source_table, "1970-01-01") }};

drop table this_load;

drop table this_copy;

commit;

select row_count
from {{ raw_relation("loads") }}
where source_table = '{{ source_table }}'
{%- endmacro %}

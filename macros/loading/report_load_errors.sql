{#
    Reports the first ten errors of the last COPY that failed: {errors: [text, ...]}. The
    error message of COPY only names the view that has them.
    https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_ERRORS.html
    https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html

    view       stl_load_errors (provisioned) or sys_load_error_detail (Serverless),
               which does not keep the value
    seconds    how long ago the COPY began, at most
#}
{% macro report_load_errors(view, seconds) %}
    {% if view == "stl_load_errors" %}
        {% set sql %}
            select
                trim(filename) as file_name,
                line_number,
                trim(colname) as column_name,
                trim(type) as column_type,
                trim(raw_field_value) as value,
                trim(err_reason) as reason
            from stl_load_errors
            where query = (
                select max(query) from stl_load_errors
                where starttime >= dateadd(second, -{{ seconds }}, getdate())
            )
            order by file_name, line_number
            limit 10
        {% endset %}
    {% else %}
        {% set sql %}
            select
                trim(file_name) as file_name,
                line_number,
                trim(column_name) as column_name,
                trim(column_type) as column_type,
                cast('' as varchar(1)) as value,
                trim(error_message) as reason
            from sys_load_error_detail
            where query_id = (
                select max(query_id) from sys_load_error_detail
                where start_time >= dateadd(second, -{{ seconds }}, getdate())
            )
            order by file_name, line_number
            limit 10
        {% endset %}
    {% endif %}
    {% set errors = [] %}
    {% for row in run_query(sql).rows %}
        {% do errors.append(
            "In " ~ row["file_name"] ~ ", line " ~ row["line_number"]
            ~ (", column " ~ row["column_name"] ~ " (" ~ row["column_type"] ~ ")"
                if row["column_name"] else "")
            ~ (', value "' ~ row["value"] ~ '"' if row["value"] else "")
            ~ ": " ~ row["reason"] ~ "."
        ) %}
    {% endfor %}
    {% do report({"errors": errors}) %}
{% endmacro %}

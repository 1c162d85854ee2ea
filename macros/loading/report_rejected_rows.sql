{#
    Reports which rows the COPY of a batch rejected, as far as Redshift tells yet: {rows:
    [{file_name, line_number, column_name, reason}, ...]}. The COPY is looked up among the
    SYS views alone, whose ids are not those of pg_last_copy_id(): loads of a table are a
    second or more apart, so it is the one nearest to the load's time, and of those at one
    time the one of this manifest. Values are not told there.
    https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_HISTORY.html
    https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html

    batch    what load_batch was given and what it reported
#}
{% macro report_rejected_rows(batch) %}
    {% set sql %}
        select
            trim(file_name) as file_name,
            line_number,
            trim(column_name) as column_name,
            trim(error_message) as reason
        from sys_load_error_detail
        where query_id = (
            select query_id
            from sys_load_history
            where
                trim(table_name) = '{{ batch.source_table }}'
                and trim(status) = 'completed'
                and error_count > 0
                and start_time >= dateadd(
                    minute, -10, cast('{{ batch.load.loaded_at }}' as timestamp)
                )
            order by
                case when trim(data_source) = {{ sql_literal(batch.manifest) }} then 0 else 1 end,
                abs(datediff(
                    second, start_time, cast('{{ batch.load.loaded_at }}' as timestamp)
                )),
                query_id desc
            limit 1
        )
        order by file_name, line_number
    {% endset %}
    {% set rows = [] %}
    {% for row in run_query(sql).rows %}
        {% do rows.append({
            "file_name": row["file_name"],
            "line_number": row["line_number"] | int,
            "column_name": row["column_name"] or none,
            "reason": row["reason"]
        }) %}
    {% endfor %}
    {% do report({"rows": rows}) %}
{% endmacro %}

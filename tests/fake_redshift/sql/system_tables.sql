-- What COPY records, and Redshift's views of it. Strings are blank-padded char(n). The query_id of
-- the SYS views is not the query of the STL views and of pg_last_copy_id().

create sequence pg_redshift.query_ids start 1001;
create table pg_redshift.loads (
    user_id integer, query_id integer, transaction_id bigint, session_id integer,
    database_name text, status text, table_name text, start_time timestamp, end_time timestamp,
    data_source text, file_format text, loaded_rows bigint, loaded_bytes bigint,
    source_file_count integer, source_file_bytes bigint, error_count bigint
);
create table pg_redshift.loaded_files (
    user_id integer, query_id integer, file_name text, bytes bigint, lines bigint,
    errors integer, start_time timestamp, end_time timestamp, etag text, modified timestamp
);
create table pg_redshift.load_errors (
    user_id integer, query_id integer, transaction_id bigint, session_id integer,
    database_name text, table_id integer, start_time timestamp, file_name text,
    line_number bigint, column_name text, column_type text, column_length text, position integer,
    raw_line text, raw_field_value text, error_code integer, error_message text
);
create table pg_redshift.inserts (
    user_id integer, query_id integer default nextval('pg_redshift.query_ids'), table_id integer,
    start_time timestamp, end_time timestamp
);

create table pg_redshift.queries (
    user_id integer, query_id integer default nextval('pg_redshift.query_ids'), query_label text,
    session_id integer, query_type text, start_time timestamp, duration double precision,
    error_message text, returned_rows bigint, query_text text
);
create function pg_redshift.keep_query(
    name text, label text, session integer, type text, started double precision,
    duration double precision, error text, returned bigint, text text
) returns void language sql as $$
    insert into pg_redshift.queries (
        user_id, query_label, session_id, query_type, start_time, duration, error_message,
        returned_rows, query_text
    ) values (
        (select usesysid::integer from pg_user where usename = name), label, session, type,
        to_timestamp(started) at time zone 'UTC', duration, error, returned, text
    )
$$;

create function pg_redshift.sees(owner integer) returns boolean language sql stable
    as $$ select owner = (select usesysid from pg_user where usename = current_user)::integer
        or pg_has_role(current_user, 'pg_read_all_data', 'member') $$;

create function pg_redshift.note_insert(target oid) returns void
language sql security definer as $$
    insert into pg_redshift.inserts (user_id, table_id, start_time, end_time)
    select usesysid::integer, $1::integer, statement_timestamp()::timestamp,
        statement_timestamp()::timestamp
    from pg_user where usename = session_user
$$;
create function pg_redshift.note_insert(target text) returns void
    language sql as $$ select pg_redshift.note_insert(to_regclass($1)::oid) $$;

create view pg_catalog.stl_load_errors as
select
    user_id as userid, 0 as slice, table_id as tbl, start_time as starttime,
    session_id as session, query_id as query, file_name::char(256) as filename, line_number,
    column_name::char(127) as colname, column_type::char(10) as type,
    column_length::char(10) as col_length, position, raw_line::char(1024) as raw_line,
    raw_field_value::char(1024) as raw_field_value, error_code as err_code,
    error_message::char(100) as err_reason, 0 as is_partial, 0::bigint as start_offset
from pg_redshift.load_errors where pg_redshift.sees(user_id);

create view pg_catalog.stl_load_commits as
select
    user_id as userid, query_id as query, 0 as slice, file_name::char(256) as name,
    file_name::char(256) as filename, 0 as byte_offset, lines::integer as lines_scanned, errors,
    end_time as curtime, 1 as status, 'JSON'::char(16) as file_format, 0 as is_partial,
    0::bigint as start_offset, (-1)::bigint as copy_job_id
from pg_redshift.loaded_files where pg_redshift.sees(user_id);

create view pg_catalog.sys_load_history as
select
    user_id, query_id::bigint + 100000 as query_id, transaction_id, session_id, database_name, status,
    table_name, start_time, end_time,
    (extract(epoch from end_time - start_time) * 1000000)::bigint as duration, data_source,
    file_format, loaded_rows, loaded_bytes, source_file_count, source_file_bytes,
    source_file_count as file_count_scanned, source_file_bytes as file_bytes_scanned,
    error_count, (-1)::bigint as copy_job_id
from pg_redshift.loads where pg_redshift.sees(user_id);

create view pg_catalog.sys_load_detail as
select
    user_id, query_id + 100000 as query_id, file_name::char(256) as file_name, bytes::integer as bytes_scanned,
    lines::integer as lines_scanned, end_time as record_time, 1 as splits_scanned, start_time,
    end_time, etag::char(256) as file_etag, modified as file_last_modified
from pg_redshift.loaded_files where pg_redshift.sees(user_id);

create view pg_catalog.sys_load_error_detail as
select
    user_id, query_id::bigint + 100000 as query_id, transaction_id, session_id,
    database_name::char(64) as database_name, table_id, start_time,
    file_name::char(256) as file_name, line_number, column_name::char(127) as column_name,
    column_type::char(10) as column_type, column_length::char(10) as column_length, position,
    error_code, error_message::char(512) as error_message
from pg_redshift.load_errors where pg_redshift.sees(user_id);

create view pg_catalog.sys_query_detail as
select
    user_id, query_id::bigint + 100000 as query_id, table_id, 'insert'::text as step_name, start_time,
    end_time
from pg_redshift.inserts where pg_redshift.sees(user_id);

create view pg_catalog.sys_query_history as
select
    user_id, query_id::bigint + 100000 as query_id, query_label::char(320) as query_label,
    0::bigint as transaction_id, session_id, current_database()::char(128) as database_name,
    query_type::char(32) as query_type,
    (case when error_message is null then 'success' else 'failed' end)::char(10) as status,
    false as result_cache_hit, start_time, start_time + duration * interval '1 second' as end_time,
    (duration * 1000000)::bigint as elapsed_time, 0::bigint as queue_time,
    (duration * 1000000)::bigint as execution_time,
    coalesce(error_message, '')::char(512) as error_message,
    coalesce(returned_rows, 0) as returned_rows, query_text::char(4000) as query_text
from pg_redshift.queries where pg_redshift.sees(user_id);

grant select on all tables in schema pg_redshift to public;
revoke insert, update, delete, truncate on all tables in schema pg_redshift from public;
create view pg_catalog.stv_db_isolation_level as
select
    datname::char(128) as db_name,
    (case current_setting('default_transaction_isolation')
        when 'serializable' then 'Serializable' else 'Snapshot Isolation'
    end)::char(20) as isolation_level
from pg_database where datname = current_database();


grant select on
    stl_load_errors, stl_load_commits, sys_load_history, sys_load_detail, sys_load_error_detail,
    sys_query_detail, sys_query_history, stv_db_isolation_level, svv_table_info, svv_external_columns,
    svv_redshift_columns, svv_relation_privileges
to public;

-- What Redshift stores about tables and views and PostgreSQL does not, and the views that show it.

create table pg_redshift.table_attributes (
    relid oid primary key,
    diststyle text not null,
    distkey text,
    sorttype text,
    sortkey text[] not null,
    encodings jsonb not null,
    backup boolean not null
);
create sequence pg_redshift.late_binding_view_ids;
create table pg_redshift.late_binding_views (relid oid primary key, function text not null);
grant select on all tables in schema pg_redshift to public;
grant usage on all sequences in schema pg_redshift to public;

create function pg_redshift.keep_attributes(target oid, document jsonb) returns void
language plpgsql security definer as $$
begin
    insert into pg_redshift.table_attributes
    select
        target, document ->> 'diststyle', document ->> 'distkey', document ->> 'sorttype',
        array(select jsonb_array_elements_text(document -> 'sortkey')),
        document -> 'encodings', (document ->> 'backup')::boolean
    on conflict (relid) do update set
        diststyle = excluded.diststyle, distkey = excluded.distkey,
        sorttype = excluded.sorttype, sortkey = excluded.sortkey;
end
$$;

-- A new table: record what its statement's leading comment says, and give strings that a query
-- produced a type that Redshift has.
create function pg_redshift.on_create() returns event_trigger language plpgsql
security definer set allow_system_table_mods = on as $$
declare
    command record;
    document jsonb := substring(current_query() from '^/[*]redshift:(.*?)[*]/')::jsonb;
    missing text;
begin
    if document is null then
        return;
    end if;
    for command in select * from pg_event_trigger_ddl_commands() where object_type = 'table'
    loop
        perform pg_redshift.keep_attributes(command.objid, document);
        perform pg_redshift.keep_constraint(command.objid, c)
        from jsonb_array_elements(document -> 'constraints') as c
        order by c ->> 'type' = 'f';
        select k into missing
        from (
            select document ->> 'distkey' as k
            union all select jsonb_array_elements_text(document -> 'sortkey')
        ) as keys
        where k is not null and not exists (
            select from pg_attribute as a where a.attrelid = command.objid and a.attname = k
        );
        if missing is not null then
            raise exception 'column "%" named in key does not exist', missing
                using errcode = '42703';
        end if;
        select format('Column "%s" has unsupported type "%s".', a.attname, a.atttypid::regtype)
        into missing
        from pg_attribute as a
        where a.attrelid = command.objid and a.attnum > 0 and a.atttypid not in (
            select t::regtype from unnest(array[
                'boolean', 'smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision',
                'date', 'timestamp', 'timestamptz', 'time', 'timetz', 'interval', 'bpchar',
                'varchar', 'text', 'super'
            ]) as t
        );
        if missing is not null then
            raise exception '%', missing using errcode = '0A000';
        end if;
        if tg_tag = 'CREATE TABLE AS' then
            perform pg_redshift.note_insert(command.objid);
        end if;
        update pg_attribute set atttypid = 'varchar'::regtype, atttypmod = 65539
        where attrelid = command.objid and attnum > 0
            and (atttypid = 'text'::regtype
                or (atttypid = 'varchar'::regtype and atttypmod = -1));
    end loop;
end
$$;
create event trigger pg_redshift_create on ddl_command_end
    when tag in ('CREATE TABLE', 'CREATE TABLE AS')
    execute function pg_redshift.on_create();

-- What is dropped with a table or column. The proxy marks statements that say CASCADE.
create function pg_redshift.on_drop() returns event_trigger language plpgsql
security definer as $$
declare
    cascades boolean := current_query() like '/*redshift:cascade*/%';
    dropped oid[];
    names text[];
    item record;
begin
    select array_agg(objid), array_agg(object_name) into dropped, names
    from pg_event_trigger_dropped_objects()
    where classid = 'pg_class'::regclass and objsubid = 0 and object_type <> 'index';
    perform pg_redshift.drop_keys_of_tables(dropped, names, cascades);
    for item in
        select objid, objsubid::smallint as number, address_names[3] as name
        from pg_event_trigger_dropped_objects()
        where classid = 'pg_class'::regclass and objsubid > 0
    loop
        if exists (
            select from pg_redshift.table_attributes
            where relid = item.objid and distkey = item.name
        ) then
            raise exception 'cannot drop distkey column "%"', item.name using errcode = '0A000';
        elsif exists (
            select from pg_redshift.table_attributes
            where relid = item.objid and item.name = any (sortkey)
        ) then
            raise exception 'cannot drop sortkey column "%"', item.name using errcode = '0A000';
        end if;
        perform pg_redshift.drop_keys_of_column(item.objid, item.number, item.name, cascades);
    end loop;
    perform pg_redshift.drop_materialized_views(dropped);
    delete from pg_redshift.table_attributes where relid = any (dropped);
    for item in
        delete from pg_redshift.late_binding_views where relid = any (dropped) returning function
    loop
        execute format('drop function if exists pg_redshift.%I()', item.function);
    end loop;
end
$$;
create event trigger pg_redshift_drop on sql_drop execute function pg_redshift.on_drop();

create procedure pg_redshift.alter_attributes(target text, document text)
language plpgsql security definer as $$
declare
    changed jsonb := document::jsonb;
begin
    perform target::regclass;
    if changed ? 'diststyle' then
        if changed ->> 'distkey' is not null then
            changed := changed || '{"diststyle": "key"}';
        end if;
        perform pg_redshift.keep_attributes(target::regclass, changed);
    end if;
end
$$;

-- A late-binding view is a view over a function that runs its text each time.
create function pg_redshift.keep_late_binding_view(target oid, name text) returns void
    language sql security definer
    as $$ insert into pg_redshift.late_binding_views values ($1, $2) $$;
create procedure pg_redshift.create_late_binding_view(
    name text, query text, names text[], replaces boolean
) language plpgsql as $$
declare
    function_name text := 'lbv_' || nextval('pg_redshift.late_binding_view_ids');
    listed text := '';
    fields text;
    casts text;
begin
    if replaces then
        execute format('drop view if exists %s', name);
    end if;
    if cardinality(names) > 0 then
        select '(' || string_agg(quote_ident(n), ', ') || ')' into listed from unnest(names) as n;
    end if;
    execute format('create view %s%s as %s', name, listed, query);
    select
        string_agg(quote_ident(attname) || ' ' || format_type(atttypid, null), ', '
            order by attnum),
        string_agg(quote_ident(attname) || '::' || case
            when atttypid = 'text'::regtype then 'varchar'
            else format_type(atttypid, atttypmod)
        end || ' as ' || quote_ident(attname), ', ' order by attnum)
    into fields, casts
    from pg_attribute where attrelid = name::regclass and attnum > 0;
    execute format('drop view %s', name);
    execute format(
        'create function pg_redshift.%I() returns table (%s) language plpgsql stable '
            'security definer as %L',
        function_name, fields,
        'begin return query execute ' || quote_literal(query) || '; end'
    );
    execute format('create view %s as select %s from pg_redshift.%I()', name, casts, function_name);
    perform pg_redshift.keep_late_binding_view(name::regclass, function_name);
end
$$;

create function pg_catalog.pg_get_late_binding_view_cols() returns setof record
language sql stable as $$
    select
        n.nspname, c.relname, a.attname,
        format_type(a.atttypid, a.atttypmod)::varchar, a.attnum::integer
    from pg_redshift.late_binding_views as l
    join pg_class as c on c.oid = l.relid
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
$$;

-- The proxy replaces the catalog's table of this name by this view.
create view pg_redshift.pg_attribute as
select
    a.*,
    coalesce(t.distkey = a.attname, false) as attisdistkey,
    coalesce(array_position(t.sortkey, a.attname::text), 0) as attsortkeyord
from pg_catalog.pg_attribute as a
left join pg_redshift.table_attributes as t on t.relid = a.attrelid
where not exists (select from pg_redshift.late_binding_views as l where l.relid = a.attrelid);
grant select on pg_redshift.pg_attribute to public;

-- information_schema: a late-binding view has no columns, no string is TEXT, and SUPER is SUPER.
do $do$
begin
    execute format(
        'create or replace view information_schema.columns as select %s from (%s) as c where not '
        'exists (select from pg_redshift.late_binding_views as l join pg_class as r on r.oid = '
        'l.relid join pg_namespace as n on n.oid = r.relnamespace where n.nspname = '
        'c.table_schema and r.relname = c.table_name)',
        (
            select string_agg(
                case attname
                    when 'data_type' then '(case data_type when ''text'' then '
                        '''character varying'' when ''jsonb'' then ''super'' else data_type end)'
                        '::information_schema.character_data as data_type'
                    when 'character_maximum_length' then '(case when data_type in (''text'', '
                        '''character varying'') then coalesce(character_maximum_length, 65535) '
                        'else character_maximum_length end)::information_schema.cardinal_number '
                        'as character_maximum_length'
                    else quote_ident(attname)
                end,
                ', ' order by attnum
            )
            from pg_catalog.pg_attribute
            where attrelid = 'information_schema.columns'::regclass and attnum > 0
        ),
        rtrim(pg_get_viewdef('information_schema.columns'::regclass), ';')
    );
end
$do$;

create function pg_redshift.row_count(target oid) returns bigint
language plpgsql stable security definer as $$
declare
    total bigint;
begin
    execute format('select count(*) from %s', target::regclass) into total;
    return total;
exception when undefined_table or syntax_error then  -- it was dropped meanwhile
    return 0;
end
$$;

create view pg_catalog.svv_table_info as
select
    current_database()::text as database,
    n.nspname::text as schema,
    c.oid::integer as table_id,
    coalesce(mv.relname, c.relname)::text as "table",
    (case when coalesce(a.encodings, '{}') = '{}' then 'Y, AUTO(ENCODE)' else 'Y' end) as encoded,
    case coalesce(a.diststyle, 'auto')
        when 'key' then 'KEY(' || a.distkey || ')'
        when 'auto' then 'AUTO(ALL)'
        else upper(a.diststyle)
    end as diststyle,
    case
        when a.sortkey is null or cardinality(a.sortkey) = 0 then 'AUTO(SORTKEY)'
        when a.sorttype = 'interleaved' then 'INTERLEAVED'
        else a.sortkey[1]
    end as sortkey1,
    coalesce((
        select max(t.atttypmod - 4) from pg_catalog.pg_attribute as t
        where t.attrelid = c.oid and t.atttypid = 'varchar'::regtype and not t.attisdropped
    ), 0) as max_varchar,
    coalesce(a.encodings ->> a.sortkey[1], 'none')::char(32) as sortkey1_enc,
    coalesce(cardinality(a.sortkey), 0) as sortkey_num,
    greatest(pg_relation_size(c.oid) / 1048576, 1) as size,
    0.0001::numeric(10, 4) as pct_used,
    0::bigint as empty,
    case when cardinality(a.sortkey) > 0 then 0::numeric(5, 2) end as unsorted,
    0::numeric(5, 2) as stats_off,
    counted.tbl_rows::numeric(38, 0) as tbl_rows,
    case when cardinality(a.sortkey) > 0 then 1::numeric(19, 2) end as skew_sortkey1,
    1::numeric(19, 2) as skew_rows,
    counted.tbl_rows::numeric(38, 0) as estimated_visible_rows,
    null::text as risk_event,
    null::numeric(12, 2) as vacuum_sort_benefit
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
left join pg_redshift.table_attributes as a on a.relid = c.oid
left join pg_redshift.materialized_views as m on m.storage = c.oid
left join pg_class as mv on mv.oid = m.relid
cross join lateral (select pg_redshift.row_count(c.oid) as tbl_rows) as counted
where c.relkind in ('r', 'm') and c.relpersistence = 'p'
    and n.nspname not in ('pg_catalog', 'information_schema', 'pg_redshift', 'pg_toast')
    and counted.tbl_rows > 0;

create view pg_catalog.svv_external_columns as
select
    null::text as schemaname, null::text as tablename, null::text as columnname,
    null::text as external_type, null::integer as columnnum, null::integer as part_key,
    null::text as is_nullable
where false;

create view pg_catalog.svv_redshift_columns as
select
    current_database()::varchar(128) as database_name,
    n.nspname::varchar(128) as schema_name,
    c.relname::varchar(128) as table_name,
    a.attname::varchar(128) as column_name,
    a.attnum::integer as ordinal_position,
    format_type(a.atttypid, a.atttypmod)::varchar(128) as data_type,
    pg_get_expr(d.adbin, d.adrelid)::varchar(4000) as column_default,
    (case when a.attnotnull then 'NO' else 'YES' end)::varchar(3) as is_nullable,
    coalesce(t.encodings ->> a.attname, 'none')::varchar(128) as encoding,
    coalesce(t.distkey = a.attname, false) as distkey,
    coalesce(array_position(t.sortkey, a.attname::text), 0)::integer as sortkey,
    null::varchar(128) as column_acl,
    col_description(c.oid, a.attnum)::varchar(256) as remarks
from pg_catalog.pg_attribute as a
join pg_class as c on c.oid = a.attrelid and c.relkind in ('r', 'v')
join pg_namespace as n on n.oid = c.relnamespace
left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_redshift.table_attributes as t on t.relid = c.oid
where a.attnum > 0 and not a.attisdropped
    and n.nspname not in ('pg_catalog', 'information_schema', 'pg_redshift', 'pg_toast');

create view pg_catalog.svv_relation_privileges as
select
    n.nspname::text as namespace_name, c.relname::text as relation_name,
    lower(g.privilege_type) as privilege_type,
    coalesce(r.oid, 0)::integer as identity_id, coalesce(r.rolname::text, 'public') as identity_name,
    case
        when r.oid is null then 'public'
        when r.rolcanlogin then 'user'
        else 'role'
    end as identity_type,
    g.is_grantable as admin_option
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as g
left join pg_roles as r on r.oid = g.grantee
where c.relkind in ('r', 'v') and g.grantee <> c.relowner
    and lower(g.privilege_type) in
        ('select', 'insert', 'update', 'delete', 'references', 'truncate');

create function pg_redshift.show_schemas(database text) returns table (
    database_name text, schema_name text, schema_owner integer, schema_type text, schema_acl text,
    source_database text, schema_option text
) language sql stable as $$
    select $1, nspname::text, nspowner::integer, 'local', null, null, null from pg_namespace
    where nspname not in ('pg_toast', 'pg_redshift') and nspname not like 'pg!_%temp%' escape '!'
$$;
create function pg_redshift.show_tables(database text, schema text) returns table (
    database_name text, schema_name text, table_name text, table_type text, table_acl text,
    remarks text, owner text, last_altered_time timestamp, last_modified_time timestamp,
    dist_style text, table_subtype text
) language sql stable as $$
    select
        $1, n.nspname::text, c.relname::text,
        case when c.relkind = 'r' then 'TABLE' else 'VIEW' end, null,
        obj_description(c.oid, 'pg_class'), pg_get_userbyid(c.relowner)::text,
        null::timestamp, null::timestamp, null::text,
        case
            when c.relkind = 'r' then 'REGULAR TABLE'
            when exists (
                select from pg_redshift.materialized_views as m where m.relid = c.oid
            ) then 'MATERIALIZED VIEW'
            when exists (
                select from pg_redshift.late_binding_views as l where l.relid = c.oid
            ) then 'LATE BINDING VIEW'
            else 'REGULAR VIEW'
        end
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v') and n.nspname = $2
$$;
create function pg_redshift.show_columns(database text, schema text, relation text)
returns table (
    database_name text, schema_name text, table_name text, column_name text,
    ordinal_position integer, column_default text, is_nullable text, data_type text,
    character_maximum_length integer, numeric_precision integer, numeric_scale integer,
    remarks text
) language sql stable as $$
    select
        $1, n.nspname::text, c.relname::text, a.attname::text, a.attnum::integer, null,
        case when a.attnotnull then 'NO' else 'YES' end,
        format_type(a.atttypid, null),
        case when a.atttypid in ('varchar'::regtype, 'bpchar'::regtype)
            then nullif(a.atttypmod, -1) - 4 end,
        information_schema._pg_numeric_precision(a.atttypid, a.atttypmod),
        information_schema._pg_numeric_scale(a.atttypid, a.atttypmod),
        col_description(c.oid, a.attnum)
    from pg_catalog.pg_attribute as a
    join pg_class as c on c.oid = a.attrelid
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $2 and c.relname = $3 and a.attnum > 0 and not a.attisdropped
    order by a.attnum
$$;
create function pg_redshift.show_grants(database text, schema text, relation text)
returns table (
    database_name text, schema_name text, object_name text, object_type text,
    privilege_type text, identity_id integer, identity_name text, identity_type text,
    admin_option boolean, privilege_scope text, grantor_name text
) language sql stable as $$
    select
        $1, namespace_name, relation_name, 'TABLE', upper(privilege_type), identity_id,
        identity_name, identity_type, admin_option, 'TABLE', null
    from svv_relation_privileges
    where namespace_name = $2 and relation_name = $3
$$;

-- Materialized views. As on Redshift, each is a view on a relation mv_tbl__<name>__0 that holds its
-- rows; here that is a materialized view of PostgreSQL, which tracks its dependencies.

create table pg_redshift.materialized_views (
    relid oid primary key,
    storage oid not null,
    definition text not null,
    autorefresh boolean not null
);
grant select on pg_redshift.materialized_views to public;

create function pg_redshift.materialized_view(name text) returns pg_redshift.materialized_views
language plpgsql stable as $$
declare
    kept pg_redshift.materialized_views;
begin
    select * into kept from pg_redshift.materialized_views where relid = name::regclass;
    if not found then
        raise exception '"%" is not a materialized view', (
            select relname from pg_class where oid = name::regclass
        ) using errcode = '42809';
    end if;
    return kept;
end
$$;

create function pg_redshift.keep_materialized_view(
    target oid, storage oid, definition text, document jsonb
) returns void language plpgsql security definer as $$
declare
    read name := (
        select c.relname
        from pg_rewrite as r
        join pg_depend as d on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass
        join pg_class as c on c.oid = d.refobjid and d.refclassid = 'pg_class'::regclass
        where r.ev_class = storage and c.oid <> storage and c.relkind in ('v', 'm')
            and c.oid not in (select relid from pg_redshift.materialized_views)
        limit 1
    );
begin
    if read is not null then
        raise exception 'Materialized view cannot be defined on the view "%"', read
            using errcode = '0A000';
    end if;
    insert into pg_redshift.materialized_views
    values (target, storage, definition, (document ->> 'autorefresh')::boolean);
    perform pg_redshift.keep_attributes(storage, document);
end
$$;

create procedure pg_redshift.create_materialized_view(
    names text[], query text, definition text, document text
) language plpgsql as $$
declare
    schema text := case
        when cardinality(names) > 1 then names[cardinality(names) - 1] else current_schema
    end;
    name text := names[cardinality(names)];
    storage text := format('%I.%I', schema, format('mv_tbl__%s__0', name));
begin
    if to_regclass(format('%I.%I', schema, name)) is not null then
        raise exception 'Relation "%" already exists', name using errcode = '42P07';
    end if;
    execute format('create materialized view %s as %s', storage, query);
    execute format('create view %I.%I as select * from %s', schema, name, storage);
    perform pg_redshift.keep_materialized_view(
        format('%I.%I', schema, name)::regclass, storage::regclass, definition, document::jsonb
    );
end
$$;

create procedure pg_redshift.refresh_materialized_view(name text) language plpgsql as $$
declare
    kept pg_redshift.materialized_views := pg_redshift.materialized_view(name);
begin
    execute format('refresh materialized view %s', kept.storage::regclass);
end
$$;

create function pg_redshift.forget_materialized_view(target oid) returns void
    language sql security definer
    as $$ delete from pg_redshift.materialized_views where relid = target $$;
create procedure pg_redshift.drop_materialized_view(
    name text, if_exists boolean, cascades boolean
) language plpgsql as $$
declare
    kept pg_redshift.materialized_views;
    storage regclass;
begin
    if if_exists and to_regclass(name) is null then
        raise notice 'materialized view "%" does not exist, skipping', name;
        return;
    end if;
    kept := pg_redshift.materialized_view(name);
    storage := kept.storage;
    perform pg_redshift.forget_materialized_view(kept.relid);
    execute format('drop view %s %s', name, case when cascades then 'cascade' else '' end);
    execute format('drop materialized view %s', storage);
end
$$;

create procedure pg_redshift.alter_materialized_view(name text, refreshes boolean)
language plpgsql security definer as $$
begin
    update pg_redshift.materialized_views set autorefresh = refreshes
    where relid = (pg_redshift.materialized_view(name)).relid;
end
$$;

-- Called with the relations that a statement has dropped.
create function pg_redshift.drop_materialized_views(dropped oid[]) returns void
language plpgsql security definer as $$
declare
    alone name := (
        select c.relname
        from pg_redshift.materialized_views as m
        join pg_class as c on c.oid = m.storage
        where m.relid = any (dropped) and not m.storage = any (dropped)
        limit 1
    );
begin
    if alone is not null then
        raise exception 'a materialized view is dropped with DROP MATERIALIZED VIEW'
            using errcode = '42809';
    end if;
    delete from pg_redshift.materialized_views where relid = any (dropped);
end
$$;

create view pg_catalog.svv_mv_info as
select
    current_database()::char(128) as database_name,
    n.nspname::char(128) as schema_name,
    v.relowner::integer as user_name,
    v.relname::char(128) as name,
    false as is_stale,
    1 as state,
    (case when m.autorefresh then 't' else 'f' end)::char(1) as autorefresh
from pg_redshift.materialized_views as m
join pg_class as v on v.oid = m.relid
join pg_namespace as n on n.oid = v.relnamespace;
create view pg_catalog.stv_mv_info as
select
    database_name as db_name, schema_name as schema, name, 0::bigint as updated_upto_xid,
    'f'::char(1) as is_stale, state, autorefresh
from pg_catalog.svv_mv_info;
grant select on pg_catalog.svv_mv_info, pg_catalog.stv_mv_info to public;

-- The catalog's lists of views show the text of CREATE MATERIALIZED VIEW.
create function pg_redshift.view_text(schema name, name name, text text) returns text
language sql stable as $$
    select coalesce((
        select m.definition
        from pg_redshift.materialized_views as m
        join pg_class as c on c.oid = m.relid
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relname = $2
    ), $3)
$$;
do $do$
begin
    execute format(
        'create or replace view pg_catalog.pg_views as select schemaname, viewname, viewowner, '
            'pg_redshift.view_text(schemaname, viewname, definition) collate "default" '
            'as definition from (%s) as v',
        rtrim(pg_get_viewdef('pg_catalog.pg_views'::regclass), ';')
    );
    execute format(
        'create or replace view information_schema.views as select table_catalog, table_schema, '
            'table_name, pg_redshift.view_text(table_schema::name, table_name::name, '
            'view_definition::text)::information_schema.character_data as view_definition, '
            'check_option, is_updatable, is_insertable_into, is_trigger_updatable, '
            'is_trigger_deletable, is_trigger_insertable_into from (%s) as v',
        rtrim(pg_get_viewdef('information_schema.views'::regclass), ';')
    );
end
$do$;

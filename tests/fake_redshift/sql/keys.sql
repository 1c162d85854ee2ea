-- Primary, unique and foreign keys. Redshift records them for its planner and enforces none, so
-- they have a table of their own; dependencies are as in PostgreSQL.

create sequence pg_redshift.constraint_ids start 1000000;
create table pg_redshift.constraints (
    oid bigint primary key default nextval('pg_redshift.constraint_ids'),
    relid oid not null,
    name text not null,
    type "char" not null,
    columns smallint[] not null,
    referenced oid,
    referenced_columns smallint[] not null,
    referenced_key bigint,
    unique (relid, name)
);
create index on pg_redshift.constraints (referenced);

create function pg_redshift.column_numbers(target oid, names text[]) returns smallint[]
language plpgsql stable as $$
declare
    numbers smallint[];
    missing text;
begin
    select array_agg(a.attnum order by k.place), min(k.name) filter (where a.attnum is null)
    into numbers, missing
    from unnest(names) with ordinality as k (name, place)
    left join pg_catalog.pg_attribute as a
        on a.attrelid = target and a.attname = k.name and a.attnum > 0;
    if missing is not null then
        raise exception 'column "%" named in key does not exist', missing using errcode = '42703';
    end if;
    return coalesce(numbers, '{}');
end
$$;

-- The primary or unique key that a foreign key refers to.
create function pg_redshift.referenced_key(target oid, numbers smallint[])
returns pg_redshift.constraints language plpgsql stable as $$
declare
    found_key pg_redshift.constraints;
    name text := (select relname from pg_class where oid = target);
begin
    if (select relkind from pg_class where oid = target) <> 'r' then
        raise exception 'referenced relation "%" is not a table', name using errcode = '42809';
    end if;
    select * into found_key
    from pg_redshift.constraints as c
    where c.relid = target and case
        when cardinality(numbers) = 0 then c.type = 'p'
        else c.type in ('p', 'u') and c.columns <@ numbers and numbers <@ c.columns
    end
    order by c.type
    limit 1;
    if not found and cardinality(numbers) = 0 then
        raise exception 'there is no primary key for referenced table "%"', name
            using errcode = '42704';
    elsif not found then
        raise exception
            'there is no unique constraint matching given keys for referenced table "%"', name
            using errcode = '42830';
    end if;
    return found_key;
end
$$;

create function pg_redshift.keep_constraint(target oid, document jsonb) returns void
language plpgsql security definer as $$
declare
    table_name text := (select relname from pg_class where oid = target);
    names text[] := array(select jsonb_array_elements_text(document -> 'columns'));
    key pg_redshift.constraints;
    referred pg_redshift.constraints;
    given text;
    number integer := 0;
begin
    key.relid := target;
    key.type := document ->> 'type';
    key.columns := pg_redshift.column_numbers(target, names);
    key.referenced_columns := '{}';
    key.name := coalesce(document ->> 'name', table_name || case key.type
        when 'p' then '_pkey'
        when 'u' then '_' || array_to_string(names, '_') || '_key'
        else '_' || array_to_string(names, '_') || '_fkey'
    end);
    if key.type = 'p' and exists (
        select from pg_redshift.constraints as c where c.relid = target and c.type = 'p'
    ) then
        raise exception 'multiple primary keys for table "%" are not allowed', table_name
            using errcode = '42P16';
    end if;
    if key.type = 'f' then
        key.referenced := (document ->> 'table')::regclass::oid;
        key.referenced_columns := pg_redshift.column_numbers(
            key.referenced,
            array(select jsonb_array_elements_text(coalesce(document -> 'references', '[]')))
        );
        referred := pg_redshift.referenced_key(key.referenced, key.referenced_columns);
        key.referenced_key := referred.oid;
        if cardinality(key.referenced_columns) = 0 then
            key.referenced_columns := referred.columns;
        end if;
        if cardinality(key.columns) <> cardinality(key.referenced_columns) then
            raise exception
                'number of referencing and referenced columns for foreign key disagree'
                using errcode = '42830';
        end if;
    end if;
    given := key.name;
    while exists (
        select from pg_redshift.constraints as c where c.relid = target and c.name = key.name
    ) loop
        if document ->> 'name' is not null then
            raise exception 'constraint "%" for relation "%" already exists', given, table_name
                using errcode = '42710';
        end if;
        number := number + 1;
        key.name := given || number;
    end loop;
    insert into pg_redshift.constraints (
        relid, name, type, columns, referenced, referenced_columns, referenced_key
    ) values (
        key.relid, key.name, key.type, key.columns, key.referenced, key.referenced_columns,
        key.referenced_key
    );
end
$$;

-- Refuse to drop `what` if one of these foreign keys depends on it, or drop them too. Dropping a
-- foreign key locks its table, as in the PostgreSQL from which Redshift derives.
create function pg_redshift.drop_dependents(what text, keys bigint[], cascades boolean)
returns void language plpgsql security definer as $$
declare
    dependent record;
begin
    for dependent in
        select c.name, t.oid::regclass as holder
        from pg_redshift.constraints as c
        join pg_class as t on t.oid = c.relid
        where c.oid = any (keys)
        order by c.oid
    loop
        if not cascades then
            raise exception 'cannot drop % because other objects depend on it', what
                using errcode = '2BP01',
                    detail = format(
                        'constraint %s on table %s depends on %s',
                        dependent.name, dependent.holder, what
                    ),
                    hint = 'Use DROP ... CASCADE to drop the dependent objects too.';
        end if;
        execute format('lock table %s', dependent.holder);
    end loop;
    delete from pg_redshift.constraints where oid = any (keys);
end
$$;

create procedure pg_redshift.add_constraint(target text, document text)
language plpgsql security definer as $$
begin
    execute format('lock table %s', target::regclass);
    if document::jsonb ->> 'type' = 'p' and exists (
        select from pg_catalog.pg_attribute as a
        where a.attrelid = target::regclass and not a.attnotnull and a.attname in (
            select jsonb_array_elements_text(document::jsonb -> 'columns')
        )
    ) then
        raise exception 'can not make a nullable column a primary key' using errcode = '42P16';
    end if;
    perform pg_redshift.keep_constraint(target::regclass, document::jsonb);
end
$$;
create procedure pg_redshift.drop_constraint(target text, constraint_name text, cascades boolean)
language plpgsql security definer as $$
declare
    dropped bigint;
begin
    execute format('lock table %s', target::regclass);
    select oid into dropped
    from pg_redshift.constraints
    where relid = target::regclass and name = constraint_name;
    if not found then
        raise exception 'constraint "%" does not exist', constraint_name using errcode = '42704';
    end if;
    perform pg_redshift.drop_dependents(
        format('constraint %s on table %s', constraint_name, target::regclass),
        array(select oid from pg_redshift.constraints where referenced_key = dropped),
        cascades
    );
    delete from pg_redshift.constraints where oid = dropped;
end
$$;

-- Called with the tables that a statement has dropped.
create function pg_redshift.drop_keys_of_tables(dropped oid[], names text[], cascades boolean)
returns void language plpgsql security definer as $$
begin
    delete from pg_redshift.constraints where relid = any (dropped);
    perform pg_redshift.drop_dependents(
        'table ' || names[1],
        array(select oid from pg_redshift.constraints where referenced = any (dropped)),
        cascades
    );
end
$$;

-- Called with a column that ALTER TABLE has dropped: its keys are dropped too, if they have no
-- other column and no foreign key refers to them, or with CASCADE.
create function pg_redshift.drop_keys_of_column(
    target oid, number smallint, name text, cascades boolean
) returns void language plpgsql security definer as $$
declare
    what text := format('table %s column %s', target::regclass, name);
    own bigint[] := array(
        select oid from pg_redshift.constraints where relid = target and number = any (columns)
    );
begin
    perform pg_redshift.drop_dependents(
        what,
        array(select oid from pg_redshift.constraints where referenced_key = any (own)),
        cascades
    );
    if not cascades and exists (
        select from pg_redshift.constraints where oid = any (own) and cardinality(columns) > 1
    ) then
        perform pg_redshift.drop_dependents(what, own, false);
    end if;
    delete from pg_redshift.constraints where oid = any (own);
end
$$;

-- The proxy replaces the catalog's table of this name by this view.
create view pg_redshift.pg_constraint as
select
    c.oid, c.name::name as conname, t.relnamespace as connamespace, c.type as contype,
    false as condeferrable, false as condeferred, c.relid as conrelid,
    coalesce(c.referenced, 0::oid) as confrelid, c.columns as conkey,
    c.referenced_columns as confkey
from pg_redshift.constraints as c
join pg_class as t on t.oid = c.relid;

create or replace view information_schema.table_constraints as
select
    current_database()::information_schema.sql_identifier as constraint_catalog,
    n.nspname::information_schema.sql_identifier as constraint_schema,
    c.name::information_schema.sql_identifier as constraint_name,
    current_database()::information_schema.sql_identifier as table_catalog,
    n.nspname::information_schema.sql_identifier as table_schema,
    t.relname::information_schema.sql_identifier as table_name,
    (case c.type when 'p' then 'PRIMARY KEY' when 'u' then 'UNIQUE' else 'FOREIGN KEY' end)
        ::information_schema.character_data as constraint_type,
    'NO'::information_schema.yes_or_no as is_deferrable,
    'NO'::information_schema.yes_or_no as initially_deferred,
    'NO'::information_schema.yes_or_no as enforced,
    null::information_schema.yes_or_no as nulls_distinct
from pg_redshift.constraints as c
join pg_class as t on t.oid = c.relid
join pg_namespace as n on n.oid = t.relnamespace;
create or replace view information_schema.key_column_usage as
select
    current_database()::information_schema.sql_identifier as constraint_catalog,
    n.nspname::information_schema.sql_identifier as constraint_schema,
    c.name::information_schema.sql_identifier as constraint_name,
    current_database()::information_schema.sql_identifier as table_catalog,
    n.nspname::information_schema.sql_identifier as table_schema,
    t.relname::information_schema.sql_identifier as table_name,
    a.attname::information_schema.sql_identifier as column_name,
    k.place::information_schema.cardinal_number as ordinal_position,
    null::information_schema.cardinal_number as position_in_unique_constraint
from pg_redshift.constraints as c
join pg_class as t on t.oid = c.relid
join pg_namespace as n on n.oid = t.relnamespace
cross join unnest(c.columns) with ordinality as k (number, place)
join pg_catalog.pg_attribute as a on a.attrelid = c.relid and a.attnum = k.number;

grant select on all tables in schema pg_redshift to public;
grant usage on all sequences in schema pg_redshift to public;

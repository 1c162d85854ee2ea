-- Redshift's functions that PostgreSQL lacks, or that have another meaning there. New names are in
-- pg_catalog; names that PostgreSQL has too are in pg_redshift, and the proxy qualifies them.
-- No backslashes here: standard_conforming_strings is off.

create schema pg_redshift;
grant usage, create on schema pg_redshift to public;

create function pg_catalog.getdate() returns timestamp language sql stable
    as $$ select date_trunc('second', statement_timestamp()::timestamp) $$;

create function pg_redshift.sysdate() returns timestamp language sql stable
    as $$ select transaction_timestamp()::timestamp $$;

-- Neither this nor date_part is strict: PostgreSQL does not inline strict functions like these,
-- and calls are many times slower.
create function pg_catalog.dateadd(part text, amount bigint, value timestamp)
returns timestamp language sql stable as $$
    select value + amount::integer * case part
        when 'year' then interval '1 year'
        when 'quarter' then interval '3 months'
        when 'month' then interval '1 month'
        when 'week' then interval '7 days'
        when 'day' then interval '1 day'
        when 'hour' then interval '1 hour'
        when 'minute' then interval '1 minute'
        when 'second' then interval '1 second'
        when 'milliseconds' then interval '1 millisecond'
        when 'microseconds' then interval '1 microsecond'
        else ('1 ' || part)::interval
    end
$$;

create function pg_catalog.datediff(part text, first timestamp, last timestamp)
returns bigint language sql immutable strict as $$
    select case part
        when 'year' then extract(year from last) - extract(year from first)
        when 'quarter' then (extract(year from last) - extract(year from first)) * 4
            + extract(quarter from last) - extract(quarter from first)
        when 'month' then (extract(year from last) - extract(year from first)) * 12
            + extract(month from last) - extract(month from first)
        when 'week' then (date_trunc('week', last)::date - date_trunc('week', first)::date) / 7
        when 'day' then last::date - first::date
        when 'hour' then extract(epoch from date_trunc('hour', last)
            - date_trunc('hour', first)) / 3600
        when 'minute' then extract(epoch from date_trunc('minute', last)
            - date_trunc('minute', first)) / 60
        when 'second' then extract(epoch from date_trunc('second', last)
            - date_trunc('second', first))
        when 'milliseconds' then extract(epoch from date_trunc('milliseconds', last)
            - date_trunc('milliseconds', first)) * 1000
        when 'microseconds' then extract(epoch from last - first) * 1000000
        else extract(epoch from ('1 ' || part)::interval) / 0
    end::bigint
$$;

create function pg_catalog.date_trunc(part text, value date) returns timestamp
    language sql immutable strict as $$ select date_trunc($1, $2::timestamp) $$;

-- EXTRACT returns one part alone: of a fraction of a second the milliseconds, or the microseconds
-- after those, where DATE_PART returns the whole second. It returns an integer for everything but
-- TIMESTAMPTZ.
create function pg_redshift.date_part(part text, value timestamp) returns integer
    language sql immutable as $$ select case part
        when 'epoch' then trunc(extract(epoch from value))
        when 'milliseconds' then trunc(extract(milliseconds from value)) % 1000
        when 'microseconds' then extract(microseconds from value) % 1000
        else trunc(pg_catalog.date_part(part, value))
    end::integer $$;
create function pg_redshift.date_part(part text, value date) returns integer
    language sql immutable strict as $$ select pg_redshift.date_part($1, $2::timestamp) $$;
create function pg_redshift.date_part(part text, value timestamptz) returns double precision
    language sql stable strict as $$
    select case part
        when 'epoch' then pg_catalog.date_part(part, value)
        else pg_redshift.date_part($1, $2::timestamp)
    end
$$;
create function pg_redshift.date_part(part text, value time) returns integer
    language sql immutable strict as $$ select pg_redshift.date_part($1, date 'epoch' + $2) $$;
create function pg_redshift.date_part(part text, value interval) returns integer
    language sql immutable strict as $$ select case part
        when 'milliseconds' then trunc(extract(milliseconds from value)) % 1000
        when 'microseconds' then extract(microseconds from value) % 1000
        else trunc(pg_catalog.date_part($1, $2))
    end::integer $$;

create function pg_catalog.convert_timezone(target text, value timestamp) returns timestamp
    language sql stable strict as $$ select value at time zone 'UTC' at time zone target $$;
create function pg_catalog.convert_timezone(source text, target text, value timestamp)
    returns timestamp
    language sql stable strict as $$ select value at time zone source at time zone target $$;

create function pg_catalog.last_day(value timestamp) returns date language sql immutable strict
    as $$ select (date_trunc('month', value) + interval '1 month' - interval '1 day')::date $$;
create function pg_catalog.trunc(value timestamp) returns date
    language sql immutable strict as $$ select value::date $$;
create function pg_catalog.add_months(value timestamp, months integer) returns timestamp
    language sql immutable strict as $$
    select case when value::date = last_day(value)
        then last_day(value + months * interval '1 month') + value::time
        else value + months * interval '1 month' end
$$;
create function pg_catalog.round(value double precision, digits integer) returns double precision
    language sql immutable strict as $$ select round($1::numeric, $2)::double precision $$;
create function pg_catalog.trunc(value double precision, digits integer) returns double precision
    language sql immutable strict as $$ select trunc($1::numeric, $2)::double precision $$;

create function pg_catalog.len(value text) returns integer
    language sql immutable strict as $$ select char_length($1) $$;
create function pg_catalog.charindex(part text, value text) returns integer
    language sql immutable strict as $$ select strpos($2, $1) $$;
create function pg_redshift.concat(a text, b text) returns varchar
    language sql immutable as $$ select $1 || $2 $$;

create function pg_catalog.sha2(value text, bits integer) returns varchar
language sql immutable strict as $$
    select encode(case bits
        when 224 then sha224(convert_to(value, 'UTF8'))
        when 384 then sha384(convert_to(value, 'UTF8'))
        when 512 then sha512(convert_to(value, 'UTF8'))
        else sha256(convert_to(value, 'UTF8'))
    end, 'hex')
$$;
create function pg_catalog.fnv_hash(value anyelement, seed bigint default 0) returns bigint
    language sql immutable strict
    as $$ select hashtextextended(pg_typeof($1)::text || ':' || $1::text, $2) $$;
create function pg_catalog.fnv_hash(value text, seed bigint default 0) returns bigint
    language sql immutable strict as $$ select hashtextextended('text:' || $1, $2) $$;

create function pg_catalog.strtol(value text, base integer) returns bigint
language plpgsql immutable strict as $$
declare
    total numeric := 0;
    digit integer;
    rest text := lower(btrim(value));
    negative boolean := left(rest, 1) = '-';
begin
    if base not between 2 and 36 then
        raise exception 'Invalid base %', base using errcode = '22023';
    end if;
    rest := ltrim(rest, '+-');
    if base = 16 and left(rest, 2) = '0x' then
        rest := substr(rest, 3);
    end if;
    for i in 1 .. char_length(rest) loop
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(rest, i, 1)) - 1;
        if digit < 0 or digit >= base then
            raise exception 'The input % is not valid to be converted to base %', value, base
                using errcode = '22023';
        end if;
        total := total * base + digit;
    end loop;
    total := case when negative then -total else total end;
    if total not between -9223372036854775808 and 9223372036854775807 then
        raise exception 'The input % is out of range for type bigint', value
            using errcode = '22003';
    end if;
    return total::bigint;
end
$$;

-- Patterns: without a match the result is the empty string; every match is replaced.
create function pg_redshift.regexp_flags(options text) returns text language sql immutable
    as $$ select case when strpos($1, 'i') > 0 then 'i' else '' end $$;
create function pg_redshift.regexp_substr(
    value text, pattern text, start integer default 1, occurrence integer default 1,
    options text default ''
) returns varchar language sql immutable strict as $$
    select coalesce(pg_catalog.regexp_substr(
        $1, $2, $3, $4, pg_redshift.regexp_flags($5), (strpos($5, 'e') > 0)::integer
    ), '')
$$;
create function pg_redshift.regexp_replace(
    value text, pattern text, replacement text default '', start integer default 1,
    options text default ''
) returns varchar language sql immutable strict as $$
    select left($1, $4 - 1) || pg_catalog.regexp_replace(
        substr($1, $4), $2, replace($3, '$', chr(92)), 'g' || pg_redshift.regexp_flags($5)
    )
$$;
create function pg_redshift.regexp_count(
    value text, pattern text, start integer default 1, options text default ''
) returns integer language sql immutable strict
    as $$ select pg_catalog.regexp_count($1, $2, $3, pg_redshift.regexp_flags($4)) $$;
create function pg_redshift.regexp_instr(
    value text, pattern text, start integer default 1, occurrence integer default 1,
    at_end integer default 0, options text default ''
) returns integer language sql immutable strict as $$
    select pg_catalog.regexp_instr($1, $2, $3, $4, $5, pg_redshift.regexp_flags($6))
$$;

create function pg_redshift.listagg(value text) returns varchar language plpgsql immutable as $$
begin
    if octet_length(value) > 65535 then
        raise exception 'Result size exceeds LISTAGG limit' using errcode = 'XX000',
            detail = 'LISTAGG limit: 65535';
    end if;
    return value;
end
$$;

create domain pg_catalog.super as jsonb;
create function pg_catalog.json_parse(value text) returns super
    language sql immutable strict as $$ select $1::jsonb::super $$;
create function pg_catalog.array_concat(first super, last super) returns super
    language sql immutable strict as $$ select ($1::jsonb || $2::jsonb)::super $$;
create function pg_catalog.get_array_length(value super) returns integer
    language sql immutable strict as $$ select jsonb_array_length($1::jsonb) $$;
create function pg_redshift.json_serialize(value super) returns varchar
    language sql immutable strict as $$ select $1::jsonb::text $$;
create function pg_catalog.is_valid_json(value text) returns boolean
    language sql immutable strict as $$ select $1 is json object $$;
create function pg_catalog.is_valid_json_array(value text) returns boolean
    language sql immutable strict as $$ select $1 is json array $$;
create function pg_catalog.can_json_parse(value text) returns boolean
    language sql immutable strict as $$ select $1 is json $$;
create function pg_catalog.json_array_length(value text) returns integer
    language sql immutable strict as $$ select json_array_length($1::json) $$;
create function pg_catalog.json_extract_array_element_text(value text, place integer)
    returns varchar language sql immutable strict as $$ select $1::json ->> $2 $$;
-- Stable, so that the planner does not evaluate it on constants in a branch not taken.
create function pg_redshift.json_path(value text, path text[]) returns varchar
language plpgsql stable as $$
begin
    if value is null then
        return null;
    end if;
    return coalesce(value::json #>> path, '');
exception when invalid_text_representation then
    raise exception 'JSON parsing error' using errcode = 'XX000',
        detail = 'invalid json object ' || value;
end
$$;
create function pg_redshift.json_extract_path_text(value text, variadic path text[])
    returns varchar language sql stable as $$ select pg_redshift.json_path($1, $2) $$;
create function pg_redshift.json_extract_path_text(value text, a text, null_if_invalid boolean)
    returns varchar language sql stable as $$
    select case when not null_if_invalid or value is json
        then pg_redshift.json_path(value, array[a]) end
$$;
create function pg_redshift.json_extract_path_text(
    value text, a text, b text, null_if_invalid boolean
) returns varchar language sql stable as $$
    select case when not null_if_invalid or value is json
        then pg_redshift.json_path(value, array[a, b]) end
$$;

create function pg_catalog.pg_last_copy_id() returns integer language sql stable as $$
    select coalesce(nullif(current_setting('pg_redshift.last_copy_id', true), ''), '-1')::integer
$$;
create function pg_catalog.pg_last_copy_count() returns bigint language sql stable as $$
    select coalesce(nullif(current_setting('pg_redshift.last_copy_count', true), ''), '0')::bigint
$$;
create function pg_catalog.pg_last_query_id() returns integer language sql stable
    as $$ select -1 $$;

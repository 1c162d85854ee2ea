-- Casts, comparisons and aggregates that PostgreSQL does differently, changed in its own catalog.

-- VARCHAR(n) and CHAR(n) count bytes: their length coercions are replaced in pg_cast.
create function pg_redshift.too_long(value text, bytes integer, kind text) returns text
language plpgsql immutable as $$
begin
    raise exception 'value too long for type %(%)', kind, bytes using errcode = '22001';
end
$$;
create function pg_redshift.cut(value text, bytes integer) returns text
language plpgsql immutable strict as $$
declare
    short text := left(value, bytes);
begin
    while octet_length(short) > bytes loop
        short := left(short, -1);
    end loop;
    return short;
end
$$;
create function pg_redshift.to_varchar(value varchar, typmod integer, is_explicit boolean)
returns varchar language sql immutable strict as $$
    select case
        when $2 < 4 or octet_length($1) <= $2 - 4 then $1
        when $3 then pg_redshift.cut($1, $2 - 4)
        when octet_length(rtrim($1, ' ')) <= $2 - 4 then pg_redshift.cut($1, $2 - 4)
        else pg_redshift.too_long($1, $2 - 4, 'character varying')
    end
$$;
-- A CHAR cast to text loses its blanks. PostgreSQL pads to characters, hence the difference.
create function pg_redshift.to_char(value bpchar, typmod integer, is_explicit boolean)
returns bpchar language sql immutable strict as $$
    select pg_catalog.bpchar(case
        when $2 < 4 or octet_length($1::text) <= $2 - 4 then $1
        when $3 then pg_redshift.cut($1::text, $2 - 4)::bpchar
        else pg_redshift.too_long($1::text, $2 - 4, 'character')::bpchar
    end, $2 - octet_length($1::text) + char_length($1), $3)
$$;
update pg_cast set castfunc = 'pg_redshift.to_varchar'::regproc
where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype;
update pg_cast set castfunc = 'pg_redshift.to_char'::regproc
where castsource = 'bpchar'::regtype and casttarget = 'bpchar'::regtype;

-- A boolean cannot be cast to a string: nobody may call the function for it, so that a statement
-- fails even if it reads no row. The proxy words the error as Redshift does.
create function pg_redshift.boolean_to_varchar(value boolean) returns text
    language sql immutable strict as $$ select case when $1 then 'true' else 'false' end $$;
revoke execute on function pg_redshift.boolean_to_varchar(boolean) from public;
update pg_cast set castfunc = 'pg_redshift.boolean_to_varchar'::regproc
where castsource = 'boolean'::regtype
    and casttarget in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype);

-- Trailing blanks do not count in comparisons: strings get PostgreSQL's comparisons and hashes for
-- CHAR.
update pg_operator set oprcode = case oprname
    when '=' then 'bpchareq'
    when '<>' then 'bpcharne'
    when '<' then 'bpcharlt'
    when '<=' then 'bpcharle'
    when '>' then 'bpchargt'
    when '>=' then 'bpcharge'
end::regproc
where oprleft = 'text'::regtype and oprright = 'text'::regtype
    and oprname in ('=', '<>', '<', '<=', '>', '>=');
update pg_amproc set amproc = case amproc
    when 'bttextcmp'::regproc then 'bpcharcmp'
    when 'bttextsortsupport'::regproc then 'bpchar_sortsupport'
    when 'hashtext'::regproc then 'hashbpchar'
    when 'hashtextextended'::regproc then 'hashbpcharextended'
end::regproc
where amproclefttype = 'text'::regtype and amprocrighttype = 'text'::regtype
    and amproc in (
        'bttextcmp'::regproc, 'bttextsortsupport'::regproc, 'hashtext'::regproc,
        'hashtextextended'::regproc
    )
    and amprocfamily in (
        select oid from pg_opfamily where opfname = 'text_ops' and opfnamespace = 'pg_catalog'::regnamespace
    );

-- SUM and AVG of integers are BIGINT.
create function pg_redshift.integer_avg(state bigint[]) returns bigint
    language sql immutable strict as $$ select $1[2] / nullif($1[1], 0) $$;
create function pg_redshift.bigint_avg_add(state bigint[], value bigint) returns bigint[]
    language sql immutable strict as $$ select array[$1[1] + 1, $1[2] + $2] $$;
update pg_aggregate set
    aggfinalfn = 'pg_redshift.integer_avg'::regproc,
    aggmfinalfn = 'pg_redshift.integer_avg'::regproc
where aggfnoid in ('avg(smallint)'::regprocedure, 'avg(integer)'::regprocedure);
update pg_aggregate set
    aggtransfn = 'pg_redshift.bigint_avg_add'::regproc,
    aggfinalfn = 'pg_redshift.integer_avg'::regproc,
    agginitval = '{0,0}',
    aggtranstype = 'bigint[]'::regtype
where aggfnoid = 'avg(bigint)'::regprocedure;
update pg_aggregate set
    aggtransfn = 'int8pl'::regproc, aggfinalfn = 0, aggtranstype = 'bigint'::regtype
where aggfnoid = 'sum(bigint)'::regprocedure;
update pg_aggregate set
    aggcombinefn = 0, aggserialfn = 0, aggdeserialfn = 0, aggmtransfn = 0, aggminvtransfn = 0,
    aggmfinalfn = 0, aggmtranstype = 0, aggtransspace = 0, aggmtransspace = 0
where aggfnoid in ('avg(bigint)'::regprocedure, 'sum(bigint)'::regprocedure);
update pg_proc set prorettype = 'bigint'::regtype
where oid in (
    'avg(smallint)'::regprocedure, 'avg(integer)'::regprocedure, 'avg(bigint)'::regprocedure,
    'sum(bigint)'::regprocedure
);

-- DECIMAL division and averages with the scale that Redshift gives them; see derived_types.py.

-- The text of PostgreSQL's analysis of a statement, null if it has an error. Marked operands are
-- in calls of operand(). The function that is created to get the text is gone once the exception
-- is caught.
create function pg_redshift.operand(number integer, value anyelement) returns anyelement
    language sql immutable as $$ select $2 $$;
create function pg_redshift.describe(statement text) returns text language plpgsql as $$
declare
    name text := 'pg_redshift.described_' || pg_backend_pid();
    tree text;
begin
    begin
        execute format(
            'create function %s() returns void begin atomic %s%s; end', name, statement, chr(10)
        );
        select prosqlbody::text into tree from pg_proc where oid = name::regproc;
        raise exception using errcode = 'RS001';
    exception when others then
        return tree;
    end;
end
$$;

-- A divisor or a value to average, with the power of ten of the result's scale and its inverse.
-- Further digits are cut.
create type pg_redshift.scaled as (value numeric, power numeric, unit numeric);
create function pg_redshift.scaled(value numeric, power numeric, unit numeric)
    returns pg_redshift.scaled
    language sql immutable as $$ select row($1, $2, $3)::pg_redshift.scaled $$;
create function pg_redshift.quotient(dividend numeric, divisor pg_redshift.scaled) returns numeric
    language sql immutable
    as $$ select div($1 * ($2).power, ($2).value) * ($2).unit $$;
create operator pg_catalog./ (
    leftarg = numeric, rightarg = pg_redshift.scaled, function = pg_redshift.quotient
);
create function pg_redshift.average_add(state numeric[], next pg_redshift.scaled)
    returns numeric[]
    language sql immutable as $$
    select case
        when ($2).value is null then $1
        else array[$1[1] + 1, $1[2] + ($2).value, ($2).power, ($2).unit]
    end
$$;
create function pg_redshift.average(state numeric[]) returns numeric language sql immutable
    as $$ select div($1[2] * $1[3], nullif($1[1], 0)) * $1[4] $$;
create aggregate pg_catalog.avg(pg_redshift.scaled) (
    sfunc = pg_redshift.average_add, stype = numeric[], initcond = '{0,0,0,0}',
    finalfunc = pg_redshift.average
);

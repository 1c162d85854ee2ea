-- The limit: the two raw tables and the nine marts, by the rules of the models,
-- written by hand for one load into an empty DuckDB. It checks nothing, keeps
-- nothing for the next build, and leaves out what one load cannot contain.
-- phase: load
create table staging_events as
select
    * replace (cast(nullif(userid, '') as bigint) as userid),
    current_localtimestamp() as loaded_at
from read_json(
    $events,
    format = 'newline_delimited',
    columns = {
        'artist': 'varchar', 'auth': 'varchar', 'firstName': 'varchar',
        'gender': 'varchar', 'itemInSession': 'integer', 'lastName': 'varchar',
        'length': 'double', 'level': 'varchar', 'location': 'varchar',
        'method': 'varchar', 'page': 'varchar', 'registration': 'double',
        'sessionId': 'bigint', 'song': 'varchar', 'status': 'integer',
        'ts': 'bigint', 'userAgent': 'varchar', 'userId': 'varchar'
    }
);

create table staging_songs as
select
    *,
    current_localtimestamp() as loaded_at
from read_json(
    $songs,
    format = 'unstructured',
    columns = {
        'num_songs': 'integer', 'artist_id': 'varchar',
        'artist_latitude': 'double', 'artist_longitude': 'double',
        'artist_location': 'varchar', 'artist_name': 'varchar',
        'song_id': 'varchar', 'title': 'varchar', 'duration': 'double',
        'year': 'integer'
    }
);

-- phase: models
-- All rows of one load have the same loaded_at, so their content decides which
-- of several versions counts.
create temporary table songs as
with cleaned as (
    select
        nullif(year, 0) as year,
        duration,
        artist_latitude,
        artist_longitude,
        case when trim(song_id, ' ') <> '' then song_id end as song_id,
        case when trim(artist_id, ' ') <> '' then artist_id end as artist_id,
        case when trim(title, ' ') <> '' then title end as title,
        case when trim(artist_name, ' ') <> '' then artist_name end
            as artist_name,
        case when trim(artist_location, ' ') <> '' then artist_location end
            as artist_location
    from staging_songs
)

select
    *,
    lower(trim(title, ' ')) as title_key,
    lower(trim(artist_name, ' ')) as artist_key
from cleaned
where song_id is not null and artist_id is not null
qualify row_number() over (
    partition by song_id
    order by
        title, artist_id, artist_name, artist_location,
        artist_latitude, artist_longitude, year, duration
) = 1;

create temporary table artist_names as
select
    artist_key,
    artist_id
from songs
where artist_key is not null
group by artist_key, artist_id
qualify row_number() over (
    partition by artist_key order by count(*) desc, artist_id
) = 1;

-- Many events share a location or a user agent: process each once.
create temporary table locations as
select
    location as logged,
    case when trim(location, ' ') <> '' then location end as location
from (
    select distinct location
    from staging_events
    where ts between 946684800000 and 5662310399999
);

create temporary table user_agents as
select
    useragent as logged,
    case
        when useragent like '"%"'
            then substring(useragent, 2, length(useragent) - 2)
        else useragent
    end as unquoted,
    case when trim(unquoted, ' ') <> '' then unquoted end as user_agent
from (
    select distinct useragent
    from staging_events
    where ts between 946684800000 and 5662310399999
);

-- A view, so that each query reads only the columns it needs.
create temporary view timed_events as
select
    rowid as event,
    userid as user_id,
    sessionid as session_id,
    iteminsession as item_in_session,
    ts,
    page,
    song,
    artist,
    length,
    case when trim(level, ' ') <> '' then level end as level,
    location,
    useragent,
    case when trim(firstname, ' ') <> '' then firstname end as first_name,
    case when trim(lastname, ' ') <> '' then lastname end as last_name,
    case when trim(gender, ' ') <> '' then gender end as gender,
    case
        when registration between 946684800000 and 5662310399999
            then epoch_ms(cast(registration as bigint))
    end as registered_at
from staging_events
where ts between 946684800000 and 5662310399999;

-- Few events are logged twice: find their keys by four numbers, and sort only
-- their versions.
create temporary table superseded as
with repeated as (
    select
        user_id,
        session_id,
        item_in_session,
        ts
    from timed_events
    where user_id is not null
    group by user_id, session_id, item_in_session, ts
    having count(*) > 1
)

select timed_events.event
from timed_events
inner join repeated using (user_id, session_id, item_in_session, ts)
left join user_agents on timed_events.useragent = user_agents.logged
qualify row_number() over (
    partition by user_id, session_id, item_in_session, ts
    order by
        page,
        level,
        case when trim(song, ' ') <> '' then song end,
        case when trim(artist, ' ') <> '' then artist end,
        length,
        case when trim(location, ' ') <> '' then location end,
        user_agents.user_agent,
        first_name,
        last_name,
        gender,
        registered_at
) > 1;

create temporary view events as
select *
from timed_events
where user_id is not null and event not in (select event from superseded);

-- Each combination of title, artist and length that was heard, as logged, so
-- that plays can be joined to it. Songs and artists are numbered, since numbers
-- are counted faster than names.
create temporary table named as
select
    *,
    row_number() over () as heard_number,
    case when trim(song, ' ') <> '' then song else 'Unknown' end as title,
    case when trim(artist, ' ') <> '' then artist else 'Unknown' end
        as artist_name,
    lower(trim(artist_name, ' ')) as artist_key,
    lower(trim(title, ' ')) as title_key,
    title_key || '|' || artist_key as song_key
from (
    select distinct
        song,
        artist,
        length
    from events
    where page = 'NextSong'
);

create temporary table heard as
with matches as (
    select
        named.heard_number,
        songs.song_id,
        songs.artist_id
    from named
    inner join songs
        on
            named.title_key = songs.title_key
            and named.artist_key = songs.artist_key
    qualify row_number() over (
        partition by named.heard_number
        order by
            coalesce(abs(songs.duration - named.length), 1e9), songs.song_id
    ) = 1
),

song_numbers as (
    select
        song_key,
        min(heard_number) as song_number
    from named
    group by song_key
),

artist_numbers as (
    select
        artist_key,
        min(heard_number) as artist_number
    from named
    group by artist_key
)

select
    named.song,
    named.artist,
    named.length,
    named.title,
    named.artist_name,
    song_numbers.song_number,
    artist_numbers.artist_number,
    coalesce(
        matches.song_id, 'XS' || upper(substring(md5(named.song_key), 1, 16))
    ) as song_id,
    coalesce(
        matches.artist_id,
        artist_names.artist_id,
        'XA' || upper(substring(md5(named.artist_key), 1, 16))
    ) as artist_id
from named
inner join song_numbers using (song_key)
inner join artist_numbers using (artist_key)
left join matches on named.heard_number = matches.heard_number
left join artist_names on named.artist_key = artist_names.artist_key;

create table fct_songplays as
select
    md5(
        concat(
            events.user_id, '|', events.session_id, '|',
            events.item_in_session, '|', events.ts
        )
    ) as songplay_id,
    epoch_ms(events.ts) as start_time,
    date_trunc('hour', epoch_ms(events.ts)) as start_hour,
    events.user_id,
    events.level,
    heard.song_id,
    heard.artist_id,
    events.session_id,
    events.item_in_session,
    locations.location,
    user_agents.user_agent
from events
inner join heard
    on
        events.song is not distinct from heard.song
        and events.artist is not distinct from heard.artist
        and events.length is not distinct from heard.length
left join locations on events.location = locations.logged
left join user_agents on events.useragent = user_agents.logged
where events.page = 'NextSong';

-- One scan of the events for sessions, users and most levels. ts and item make
-- one number, by which the events of a session are ordered.
create temporary table sessions as
select
    user_id,
    session_id,
    min(ts) as start_ts,
    max(ts) as end_ts,
    count(*) filter (where page = 'NextSong') as play_count,
    bool_or(page = 'Submit Upgrade') as has_upgrade,
    bool_or(page = 'Submit Downgrade') as has_downgrade,
    bool_or(page = 'Error') as has_error,
    bool_or(page = 'Logout') as has_logout,
    min(coalesce(level, '')) = max(coalesce(level, '')) as has_one_level,
    arg_min(
        coalesce(level, ''), ts * 4294967296::hugeint + item_in_session
    ) as start_level,
    arg_max(
        coalesce(level, ''), ts * 4294967296::hugeint + item_in_session
    ) as end_level,
    arg_max(
        event, ts * 4294967296::hugeint + item_in_session
    ) as last_event
from events
group by user_id, session_id;

create table fct_sessions as
with heard_in_session as (
    select distinct
        events.user_id,
        events.session_id,
        heard.song_number,
        heard.artist_number
    from events
    inner join heard
        on
            events.song is not distinct from heard.song
            and events.artist is not distinct from heard.artist
            and events.length is not distinct from heard.length
    where events.page = 'NextSong'
),

counts as (
    select
        user_id,
        session_id,
        count(*) as song_count,
        count(distinct artist_number) as artist_count
    from heard_in_session
    group by user_id, session_id
)

select
    md5(concat(sessions.user_id, '|', sessions.session_id)) as user_session_id,
    sessions.user_id,
    sessions.session_id,
    epoch_ms(sessions.start_ts) as start_time,
    epoch_ms(sessions.end_ts) as end_time,
    (sessions.end_ts - sessions.start_ts) / 1000 as duration_seconds,
    cast(sessions.play_count as integer) as play_count,
    cast(coalesce(counts.song_count, 0) as integer) as song_count,
    cast(coalesce(counts.artist_count, 0) as integer) as artist_count,
    nullif(sessions.start_level, '') as start_level,
    nullif(sessions.end_level, '') as end_level,
    sessions.has_upgrade,
    sessions.has_downgrade,
    sessions.has_error,
    sessions.has_logout
from sessions
left join counts using (user_id, session_id);

create table dim_users as
with latest as (
    select last_event
    from sessions
    qualify row_number() over (
        partition by user_id order by end_ts desc, session_id desc
    ) = 1
)

select
    events.user_id,
    events.first_name,
    events.last_name,
    events.gender,
    events.level,
    events.registered_at
from events
inner join latest on events.event = latest.last_event;

-- Of a session with one level that overlaps no other of the user, the start is
-- enough; only the other sessions are read event by event.
create table dim_user_levels as
with marked_sessions as (
    select
        *,
        has_one_level
        and coalesce(
            start_ts > max(end_ts) over (
                partition by user_id
                order by start_ts, session_id
                rows between unbounded preceding and 1 preceding
            ), true
        )
        and coalesce(
            end_ts < lead(start_ts) over (
                partition by user_id order by start_ts, session_id
            ), true
        ) as is_plain
    from sessions
),

moments as (
    select
        events.user_id,
        events.ts,
        coalesce(events.level, '') as level
    from events
    inner join marked_sessions using (user_id, session_id)
    where not marked_sessions.is_plain
    qualify row_number() over (
        partition by events.user_id, events.ts
        order by events.session_id desc, events.item_in_session desc
    ) = 1
    union all
    select
        user_id,
        start_ts,
        start_level
    from marked_sessions
    where is_plain
),

changes as (
    select *
    from moments
    qualify level is distinct from lag(level) over (
        partition by user_id order by ts
    )
)

select
    md5(concat(user_id, '|', ts)) as user_level_id,
    user_id,
    nullif(level, '') as level,
    epoch_ms(ts) as valid_from,
    lead(epoch_ms(ts)) over (partition by user_id order by ts) as valid_to,
    valid_to is null as is_current
from changes;

create table dim_songs as
select
    song_id,
    coalesce(title, 'Unknown') as title,
    artist_id,
    year,
    duration,
    true as is_in_catalog
from songs
union all
select
    song_id,
    min(title),
    min(artist_id),
    null,
    min(length),
    false
from heard
where song_id not in (select song_id from songs)
group by song_id;

create table dim_artists as
with names as (
    select
        artist_id,
        artist_name
    from songs
    where artist_name is not null
    group by artist_id, artist_name
    qualify row_number() over (
        partition by artist_id
        order by count(*) desc, length(artist_name), artist_name
    ) = 1
),

places as (
    select
        artist_id,
        artist_location,
        artist_latitude,
        artist_longitude
    from songs
    qualify row_number() over (
        partition by artist_id
        order by
            case
                when artist_location is null then 3
                when artist_latitude is null or artist_longitude is null then 2
                else 1
            end,
            song_id
    ) = 1
)

select
    places.artist_id,
    coalesce(names.artist_name, 'Unknown') as name,
    places.artist_location as location,
    places.artist_latitude as latitude,
    places.artist_longitude as longitude,
    true as is_in_catalog
from places
left join names on places.artist_id = names.artist_id
union all
select
    artist_id,
    min(artist_name),
    null,
    null,
    null,
    false
from heard
where artist_id not in (select artist_id from songs)
group by artist_id;

create table dim_time as
select
    start_hour,
    cast(extract(hour from start_hour) as integer) as hour,
    cast(extract(day from start_hour) as integer) as day,
    cast(extract(week from start_hour) as integer) as week,
    cast(extract(month from start_hour) as integer) as month,
    cast(extract(year from start_hour) as integer) as year,
    cast(extract(dow from start_hour) as integer) as weekday,
    cast(date_trunc('week', start_hour) as date) as week_start
from (
    select unnest(generate_series(
        min(start_hour), max(start_hour), interval 1 hour
    )) as start_hour
    from fct_songplays
);

create table dim_locations as
with places as (
    select
        location,
        string_split(trim(location, ' '), ', ') as parts
    from locations
    where location is not null
)

select
    places.location,
    case when states.state_code is not null then places.parts[1] end
        as metro_area,
    case when states.state_code is not null then places.parts[2] end
        as state_codes,
    states.state_code,
    states.state_name,
    states.region,
    states.division,
    states.state_code is not null as is_recognized
from places
left join read_csv(
    $states,
    header = true,
    columns = {
        'state_code': 'varchar', 'state_name': 'varchar',
        'region': 'varchar', 'division': 'varchar'
    }
) as states
    on
        split_part(places.parts[2], '-', 1) = states.state_code
        and places.parts[1] <> ''
        and coalesce(places.parts[3], '') = '';

create table dim_user_agents as
with matches as (
    select
        user_agents.user_agent,
        arg_min(patterns.value, patterns.pattern_rank)
            filter (where patterns.attribute = 'browser') as browser,
        arg_min(coalesce(patterns.version_token, ''), patterns.pattern_rank)
            filter (where patterns.attribute = 'browser') as version_token,
        arg_min(patterns.value, patterns.pattern_rank)
            filter (where patterns.attribute = 'operating_system')
            as operating_system,
        arg_min(patterns.value, patterns.pattern_rank)
            filter (where patterns.attribute = 'device_class') as device_class
    from user_agents
    left join read_csv(
        $patterns,
        header = true,
        columns = {
            'attribute': 'varchar', 'pattern_rank': 'integer',
            'pattern': 'varchar', 'value': 'varchar',
            'version_token': 'varchar'
        }
    ) as patterns
        on contains(user_agents.user_agent, patterns.pattern)
    where user_agents.user_agent is not null
    group by user_agents.user_agent
)

select
    user_agent,
    browser,
    case
        when version_token <> '' then nullif(regexp_extract(
            trim(split_part(user_agent, version_token, 2), ' '), '^[^ ;)]*'
        ), '')
    end as browser_version,
    operating_system,
    device_class,
    browser is not null
    and operating_system is not null
    and device_class is not null as is_recognized
from matches;

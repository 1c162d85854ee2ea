with

source as (

    select * from {{ source('sparkify', 'staging_events') }}

    -- assert_events_have_a_time warns of the others.
    where ts between {{ epoch_ms_limits() | join(' and ') }}

),

renamed as (

    select
        -- ids
        cast(userid as bigint) as user_id,
        cast(sessionid as bigint) as session_id,
        cast(iteminsession as integer) as item_in_session,

        -- user
        {{ blank_to_null('firstname') }} as first_name,
        {{ blank_to_null('lastname') }} as last_name,
        {{ blank_to_null('gender') }} as gender,
        {{ blank_to_null('level') }} as level,
        {{ blank_to_null('location') }} as location,
        {{ epoch_ms_to_timestamp('registration') }} as registered_at,
        {{ blank_to_null(unquote('useragent')) }} as user_agent,

        -- request
        page,
        {{ blank_to_null('auth') }} as auth,
        {{ blank_to_null('method') }} as method,
        cast(status as integer) as status,

        -- song
        {{ blank_to_null('song') }} as song_title,
        {{ blank_to_null('artist') }} as artist_name,
        length as song_length,

        -- times
        cast(ts as bigint) as ts,
        ts as raw_ts,
        {{ epoch_ms_to_timestamp('ts') }} as event_at,
        loaded_at

    from source

),

identified as (

    select
        md5(
            cast(user_id as varchar(20))
            || '|' || cast(session_id as varchar(20))
            || '|' || cast(item_in_session as varchar(20))
            || '|' || cast(ts as varchar(20))
        ) as event_id,
        *

    from renamed

)

select * from identified

"""The mutations that `make mutants` tries: mistakes that somebody could make, by file.

Each is a text that occurs exactly once in the file, and its replacement; "" deletes it. Mutations
without a visible effect have no place here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutation:
    """A change of a file of the project."""

    file: str
    old: str
    new: str

    def made_in(self, text: str) -> str:
        """The file's text with the change. Raises ValueError unless `old` occurs once."""
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f"{self}: the old text occurs {text.count(self.old)} times")
        return text.replace(self.old, self.new)

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}: {old} -> {new or 'nothing'}"


REFUSED = "tests/pipeline/test_s3_faults.py::test_a_refusal_is_not_tried_again"
DAMAGED = "tests/pipeline/test_s3_faults.py::test_a_damaged_gzip_is_named"
FIT = "tests/pipeline/test_loader.py::test_a_value_that_does_not_fit"
NO_JSON = "tests/pipeline/test_loader.py::test_a_file_without_json_is_reported"
CORRECTED = "tests/pipeline/test_star.py::test_a_corrected_event_replaces_the_first[local]"
NO_PLAY = "tests/pipeline/test_star.py::test_an_event_that_is_no_longer_a_play[local]"
LATE_HOURS = "tests/pipeline/test_star.py::test_time_grows_at_both_ends[local]"
OLDER_CATALOG = (
    "tests/pipeline/test_star.py::test_a_build_with_an_older_catalog_is_corrected[local]"
)
NO_CATALOG = "tests/pipeline/test_star.py::test_without_a_catalog_no_play_is_written_again"
LATE_SONG = "tests/pipeline/test_star.py::test_a_late_song_takes_over_its_plays[local]"
LATE_EVENTS = (
    "tests/pipeline/test_star.py::test_late_events_split_a_level_and_lengthen_a_session[local]"
)
DAYS = [
    "tests/pipeline/test_warnings.py::test_days_that_lack_files_are_reported[local]",
    "tests/pipeline/test_warnings.py::test_a_young_service_is_not_warned_of",
]
# Tests for what unit tests cannot notice: they override some macros, and run only the queries of
# models.
MORE_TESTS = {
    "models/intermediate/int_heard_songs.sql": [CORRECTED],
    "models/intermediate/int_song_matches.sql": [LATE_SONG, OLDER_CATALOG],
    "models/marts/dim_time.sql": [NO_PLAY],
    "models/marts/fct_sessions.sql": [LATE_EVENTS],
    "models/marts/fct_songplays.sql": [CORRECTED, LATE_SONG, NO_PLAY],
    "macros/incremental/bounds.sql": [CORRECTED, LATE_EVENTS],
    "macros/incremental/delete_former_plays.sql": [NO_PLAY],
    "macros/incremental/delete_hours_without_plays.sql": [NO_PLAY],
    "macros/incremental/get_incremental_bounded_delete_insert_sql.sql": [LATE_EVENTS],
    "macros/incremental/has_newer.sql": [LATE_SONG, OLDER_CATALOG, NO_CATALOG],
    "macros/incremental/play_hours.sql": [NO_PLAY, LATE_HOURS],
    "macros/incremental/smallest.sql": [LATE_EVENTS],
    "macros/file_day.sql": DAYS,
    "macros/incomplete_days.sql": DAYS,
    "loader/reading.py": ["tests/test_loader/test_rows.py", DAMAGED],
    "loader/rows.py": [FIT, NO_JSON],
    "loader/s3.py": ["tests/test_loader/test_reading.py", REFUSED],
}

BY_FILE: dict[str, list[tuple[str, str]]] = {
    "models/staging/stg_events.sql": [
        ("    where ts between {{ epoch_ms_limits() | join(' and ') }}\n", ""),
        ("blank_to_null(unquote('useragent'))", "blank_to_null('useragent')"),
        ("blank_to_null(unquote('useragent'))", "unquote('useragent')"),
        ("            cast(user_id as varchar(20))\n            || '|' || ", "            "),
        ("            || '|' || cast(session_id as varchar(20))\n", ""),
        ("            || '|' || cast(item_in_session as varchar(20))\n", ""),
        ("            || '|' || cast(ts as varchar(20))\n", ""),
        ("'|' || cast(session_id", "cast(session_id"),
    ],
    "models/staging/stg_songs.sql": [
        ("as integer), 0)", "as integer), 1)"),
        ("{{ blank_to_null('artist_location') }} as", "artist_location as"),
    ],
    "models/intermediate/int_events.sql": [
        ("        user_id is not null\n    {% if", "        1 = 1\n    {% if"),
        ("        and loaded_at > {{ watermark('loaded_at') }}\n", ""),
        ("loaded_at > {{", "loaded_at >= {{"),
        ("page = 'NextSong' as", "page <> 'Home' as"),
        ("'page', 'level',", "'level', 'page',"),
        ("'page', 'level',", "'page', 'level desc',"),
        ("'page', 'level', 'song_title'", "'song_title'"),
        ("coalesce(song_title, 'Unknown')", "song_title"),
        ("coalesce(artist_name, 'Unknown')", "artist_name"),
        (
            "case when is_play then coalesce(song_title, 'Unknown') end",
            "coalesce(song_title, 'Unknown')",
        ),
        (
            "case when is_play then coalesce(artist_name, 'Unknown') end",
            "coalesce(artist_name, 'Unknown')",
        ),
        ("case when is_play then song_length end", "song_length"),
        (
            "match_key('played_title', 'played_artist_name',",
            "match_key('played_artist_name', 'played_title',",
        ),
    ],
    "models/intermediate/int_songs.sql": [
        ("'title', 'artist_id'", "'title desc', 'artist_id'"),
        (" and artist_id is not null", ""),
        ("song_id is not null and ", ""),
    ],
    "models/intermediate/int_heard_songs.sql": [
        ("where song_title is null", "where song_title is not null and 1 = 0"),
        ("where is_play {%-", "where 1 = 1 {%-"),
        ("set is_new = 'loaded_at > '", "set is_new = 'loaded_at >= '"),
        (" and {{ is_new }} {%-", " {%-"),
        ("song_key('song_title', 'artist_name')", "song_key('artist_name', 'song_title')"),
        ("artist_key('artist_name')", "artist_key('song_title')"),
        ("max(loaded_at)", "min(loaded_at)"),
        (
            "group by match_key, song_title, artist_name, song_length",
            "group by match_key, song_title, artist_name, song_length, loaded_at",
        ),
        ("coalesce(former.song_title, 'Unknown')", "former.song_title"),
        ("coalesce(former.artist_name, 'Unknown')", "former.artist_name"),
        ("            former.event_id = events.event_id\n            and ", "            "),
        ("former.loaded_at < events.loaded_at", "former.loaded_at <= events.loaded_at"),
        ("        former.page = 'NextSong'\n        and ", "        "),
        ("        and events.{{ is_new }}\n", ""),
        ("match_key not in (", "match_key in ("),
        ("        where is_play and match_key in (select match_key from former_keys)\n", ""),
        (
            "cast(null as varchar(4096)) as song_title",
            "cast('Unknown' as varchar(4096)) as song_title",
        ),
        ("    union all\n\n    select * from unheard_songs\n", ""),
    ],
    "models/intermediate/int_locations.sql": [
        ("loaded_at > {{", "loaded_at >= {{"),
        ("    where location is not null", "    where 1 = 1"),
        ("max(loaded_at)", "min(loaded_at)"),
        ("    and loaded_at > {{ watermark('loaded_at') }}\n", ""),
    ],
    "models/intermediate/int_song_matches.sql": [
        (
            "    where loaded_at > {{ watermark('loaded_at') }}\n",
            "    where loaded_at >= {{ watermark('loaded_at') }}\n",
        ),
        ("{%- if is_for_new_songs %}", "{%- if is_incremental() %}"),
        ("{%- if is_for_new_songs %}", "{%- if false %}"),
        ("    having max(loaded_at) >= {{ watermark('catalog_loaded_at') }}\n", ""),
        ("having max(loaded_at) >=", "having max(loaded_at) >"),
        ("having max(loaded_at) >=", "having max(loaded_at) <>"),
        ("having max(loaded_at) >=", "having min(loaded_at) >="),
        (
            "    select max(loaded_at) as loaded_at from",
            "    select min(loaded_at) as loaded_at from",
        ),
        ("order by count(*) desc, artist_id", "order by count(*), artist_id"),
        ("order by count(*) desc, artist_id", "order by artist_id"),
        ("order by count(*) desc, artist_id", "order by count(*) desc, artist_id desc"),
        ("partition by artist_key order by", "partition by artist_id order by"),
        ("            artist_names.artist_id,\n", ""),
        (
            "            songs.artist_id,\n            artist_names.artist_id,",
            "            artist_names.artist_id,\n            songs.artist_id,",
        ),
        ("            heard.song_key = songs.song_key\n            and ", "            "),
        ("            and heard.artist_key = songs.artist_key\n", ""),
        (
            "coalesce(abs(songs.duration - heard.song_length), 1e9)",
            "coalesce(songs.duration - heard.song_length, 1e9)",
        ),
        (
            "coalesce(abs(songs.duration - heard.song_length), 1e9)",
            "coalesce(abs(songs.duration - heard.song_length), 0)",
        ),
        (
            "coalesce(abs(songs.duration - heard.song_length), 1e9)",
            "coalesce(abs(songs.duration - heard.song_length), 1e3)",
        ),
        ("            songs.song_id\n    ) = 1", "            songs.song_id desc\n    ) = 1"),
        ("            and matches.song_id = known.song_id\n", ""),
        ("            and matches.artist_id = known.artist_id\n", ""),
        ("            and known.catalog_loaded_at is not null\n", ""),
        ("known.matched_at, {% endif %}", "{% endif %}"),
        ("catalog.loaded_at as catalog_loaded_at", "matches.loaded_at as catalog_loaded_at"),
        ("left join catalog on 1 = 1", "cross join catalog"),
        ("left join {{ this }} as known", "inner join {{ this }} as known"),
    ],
    "models/intermediate/int_user_agents.sql": [
        ("loaded_at > {{", "loaded_at >= {{"),
        ("    where user_agent is not null", "    where 1 = 1"),
        ("max(loaded_at)", "min(loaded_at)"),
        ("    and loaded_at > {{ watermark('loaded_at') }}\n", ""),
    ],
    "models/marts/dim_artists.sql": [
        ("count(*) desc, length(min(artist_name)), min(artist_name)", "min(artist_name)"),
        ("count(*) desc, length(min(artist_name)), ", "count(*) desc, "),
        ("count(*) desc, length", "length"),
        (
            "length(min(artist_name)), min(artist_name)",
            "length(min(artist_name)), min(artist_name) desc",
        ),
        ("    where artist_name is not null\n", ""),
        ("when artist_location is null then 3", "when artist_location is null then 2"),
        ("when artist_latitude + artist_longitude is", "when artist_longitude is"),
        ("when artist_latitude + artist_longitude is", "when artist_latitude is"),
        ("            song_id\n    ) = 1", "            song_id desc\n    ) = 1"),
        ("coalesce(names.name, 'Unknown')", "names.name"),
        ("    left join names", "    inner join names"),
        ("min(heard_songs.artist_name)", "max(heard_songs.artist_name)"),
        ("    where song_matches.artist_id not in (select places.artist_id from places)\n", ""),
    ],
    "models/marts/dim_locations.sql": [
        ("            and split_locations.metro_area <> ''\n", ""),
        ("            and split_locations.rest = ''\n", ""),
        ("split_part(split_locations.state_codes, '-', 1)", "split_locations.state_codes"),
        ("trim(both ' ' from location), ', ', 1)", "location, ', ', 1)"),
        ("trim(both ' ' from location), ', ', 2)", "location, ', ', 2)"),
    ],
    "models/marts/dim_songs.sql": [
        ("coalesce(title, 'Unknown')", "title"),
        ("min(heard_songs.song_title)", "max(heard_songs.song_title)"),
        ("min(heard_songs.song_length)", "max(heard_songs.song_length)"),
        ("    where songs.song_id is null\n", ""),
        (
            "    group by song_matches.song_id\n",
            "    group by song_matches.song_id, heard_songs.song_title\n",
        ),
    ],
    "models/marts/dim_time.sql": [
        (
            "start_hour between '{{ hours.first_hour }}' and '{{ hours.last_hour }}'",
            "start_hour <= '{{ hours.last_hour }}'",
        ),
        (
            "start_hour between '{{ hours.first_hour }}' and '{{ hours.last_hour }}'",
            "start_hour >= '{{ hours.first_hour }}'",
        ),
        ("extract(dow from start_hour)", "extract(isodow from start_hour)"),
        ("date_trunc('week', start_hour)", "date_trunc('month', start_hour)"),
        ("        and start_hour not in (select start_hour from {{ this }})\n", ""),
        ("'cast(generated_number - 1 as integer)'", "'cast(generated_number as integer)'"),
        (
            "'cast(numbered_hours.generated_number - 1 as integer)'",
            "'cast(numbered_hours.generated_number as integer)'",
        ),
        ("dbt.generate_series(24)", "dbt.generate_series(23)"),
        ("        pre_hook='{{ delete_hours_without_plays() }}',\n", ""),
    ],
    "models/marts/dim_user_agents.sql": [
        ("order by patterns.pattern_rank", "order by patterns.pattern_rank desc"),
        ("where match_rank = 1", "where match_rank <= 2"),
        ("attributes.browser is not null\n", "true\n"),
        ("attributes.operating_system is not null\n", "true\n"),
        ("attributes.device_class is not null as", "true as"),
        ("version_and_rest, ' ', 1), ';', 1", "version_and_rest, ' ', 1), ' ', 1"),
        (
            "partition by user_agents.user_agent, patterns.attribute",
            "partition by user_agents.user_agent",
        ),
    ],
    "models/marts/dim_user_levels.sql": [
        ("set is_new = 'loaded_at > '", "set is_new = 'loaded_at >= '"),
        ("event_at >= {{", "event_at > {{"),
        (
            "        event_at >= {{ smallest('event_at', ref('int_events'), is_new) }}\n"
            "        and ",
            "        ",
        ),
        (
            "        and user_id in (\n"
            "            select user_id from {{ ref('int_events') }} where {{ is_new }}\n"
            "        )\n",
            "",
        ),
        (
            "        max(loaded_at) over (partition by user_id) as loaded_at\n",
            "        loaded_at\n",
        ),
        ("partition by user_id, ts\n", "partition by user_id, session_id, ts\n"),
        ("order by session_id desc, item_in_session desc", "order by item_in_session desc"),
        (
            "order by session_id desc, item_in_session desc",
            "order by session_id desc, item_in_session",
        ),
        ("        valid_from < (select min(event_at) from events)\n        and ", "        "),
        ("valid_from < (select", "valid_from <= (select"),
        ("        and user_id in (select user_id from events)\n", ""),
        (
            "max(loaded_at) over (partition by user_id) as newest_loaded_at",
            "loaded_at as newest_loaded_at",
        ),
        ("coalesce(level, '') <> coalesce(", "level <> coalesce("),
        ("lag(coalesce(level, '')) over", "lag(level) over"),
        ("'none before'", "''"),
        (
            "lead(event_at) over (partition by user_id order by ts) as",
            "lag(event_at) over (partition by user_id order by ts) as",
        ),
        ("order by ts) is null", "order by ts) is not null"),
    ],
    "models/marts/dim_users.sql": [
        ("order by ts desc, session_id desc, ", "order by session_id desc, "),
        ("order by ts desc, session_id desc, ", "order by ts desc, "),
        ("session_id desc, item_in_session desc", "session_id desc, item_in_session"),
        ("loaded_at > {{", "loaded_at >= {{"),
        ("    where loaded_at > {{ watermark('loaded_at') }}\n", ""),
        ("        known.user_id is null\n        or ", "        "),
        (
            "latest_events.latest_ts > known.latest_ts",
            "latest_events.latest_ts >= known.latest_ts",
        ),
        (
            "latest_events.latest_ts = known.latest_ts\n"
            "            and latest_events.latest_session_id > ",
            "latest_events.latest_session_id > ",
        ),
        (
            "latest_session_id > known.latest_session_id",
            "latest_session_id >= known.latest_session_id",
        ),
        (
            "latest_session_id > known.latest_session_id",
            "latest_session_id < known.latest_session_id",
        ),
        (
            "latest_events.latest_ts = known.latest_ts\n"
            "            and latest_events.latest_session_id = ",
            "latest_events.latest_session_id = ",
        ),
        ("            and latest_events.latest_session_id = known.latest_session_id\n", ""),
        (">= known.latest_item_in_session", "> known.latest_item_in_session"),
        (">= known.latest_item_in_session", "<= known.latest_item_in_session"),
    ],
    "models/marts/fct_sessions.sql": [
        ("event_at between {{ new_times }} or event_at", "event_at"),
        (" or event_at between {{ known_times }}", ""),
        ("set is_new = 'loaded_at > '", "set is_new = 'loaded_at >= '"),
        (
            "        and {{ user_session_id('user_id', 'session_id') }} in (\n"
            "            select {{ user_session_id('user_id', 'session_id') }}\n",
            "        and user_id in (\n            select user_id\n",
        ),
        (
            "        and {{ user_session_id('user_id', 'session_id') }} in (\n"
            "            select {{ user_session_id('user_id', 'session_id') }}\n",
            "        and session_id in (\n            select session_id\n",
        ),
        ("            where {{ is_new }}\n", ""),
        (
            "        first_value(level) over (\n            partition by user_id, session_id",
            "        first_value(level) over (\n            partition by session_id",
        ),
        (
            "        first_value(level) over (\n            partition by user_id, session_id",
            "        first_value(level) over (\n            partition by user_id",
        ),
        (
            "        last_value(level) over (\n            partition by user_id, session_id",
            "        last_value(level) over (\n            partition by session_id",
        ),
        (
            "        last_value(level) over (\n            partition by user_id, session_id",
            "        last_value(level) over (\n            partition by user_id",
        ),
        ("        first_value(level)", "        last_value(level)"),
        ("        last_value(level)", "        first_value(level)"),
        (
            "            order by ts, item_in_session\n"
            "            rows between unbounded preceding and unbounded following\n"
            "        ) as start_level",
            "            order by item_in_session\n"
            "            rows between unbounded preceding and unbounded following\n"
            "        ) as start_level",
        ),
        (
            "            order by ts, item_in_session\n"
            "            rows between unbounded preceding and unbounded following\n"
            "        ) as start_level",
            "            order by ts, item_in_session desc\n"
            "            rows between unbounded preceding and unbounded following\n"
            "        ) as start_level",
        ),
        (
            "            order by ts, item_in_session\n"
            "            rows between unbounded preceding and unbounded following\n"
            "        ) as end_level",
            "            order by item_in_session\n"
            "            rows between unbounded preceding and unbounded following\n"
            "        ) as end_level",
        ),
        (
            "            order by ts, item_in_session\n"
            "            rows between unbounded preceding and unbounded following\n"
            "        ) as end_level",
            "            order by ts, item_in_session desc\n"
            "            rows between unbounded preceding and unbounded following\n"
            "        ) as end_level",
        ),
        (
            "            order by ts, item_in_session\n"
            "            rows between unbounded preceding and unbounded following\n"
            "        ) as end_level",
            "            order by ts, item_in_session\n        ) as end_level",
        ),
        ("min(event_at) as start_time", "max(event_at) as start_time"),
        ("max(event_at) as end_time", "min(event_at) as end_time"),
        ("(max(ts) - min(ts)) / cast(1000 as double precision)", "(max(ts) - min(ts)) // 1000"),
        ("count(match_key)", "count(*)"),
        ("count(distinct {{ song_key", "count({{ song_key"),
        ("song_key('song_title', 'artist_name')", "artist_key('song_title')"),
        (
            "count(distinct {{ song_key('song_title', 'artist_name') }})",
            "count(distinct match_key)",
        ),
        ("count(distinct {{ artist_key('artist_name') }})", "count(distinct artist_name)"),
        ("page = 'Submit Upgrade'", "page = 'Upgrade'"),
        ("page = 'Submit Downgrade'", "page = 'Downgrade'"),
        ("page = 'Error'", "page = 'Home'"),
        ("page = 'Logout'", "page = 'Login'"),
        ("max(loaded_at) as loaded_at", "min(loaded_at) as loaded_at"),
        ("group by user_id, session_id\n", "group by session_id, user_id, level\n"),
    ],
    "models/marts/fct_songplays.sql": [
        ("        pre_hook='{{ delete_former_plays() }}',\n", ""),
        ("        is_play\n        and loaded_at <=", "        loaded_at <="),
        ("        and loaded_at <= {{ last_loaded_at(ref('int_song_matches')) }}\n", ""),
        ("loaded_at <= {{", "loaded_at < {{"),
        (
            "            loaded_at > {{ watermark('loaded_at') }}\n            {% if",
            "            1 = 0\n            {% if",
        ),
        ("            loaded_at > {{", "            loaded_at >= {{"),
        ("            {% if has_other_matches %}\n", "            {% if true %}\n"),
        ("                where matched_at > {{ watermark('matched_at') }}\n", ""),
        ("                where matched_at > {{", "                where matched_at >= {{"),
        (
            "                where matched_at > {{ watermark('matched_at') }}\n",
            "                where 1 = 0\n",
        ),
        ("{{ this }} where matched_at is null\n", "{{ this }}\n"),
        ("{{ this }} where matched_at is null\n", "{{ this }} where 1 = 0\n"),
        ("date_trunc('hour', plays", "date_trunc('day', plays"),
        ("left join song_matches", "inner join song_matches"),
        (
            "song_matches.matched_at,\n        plays.loaded_at",
            "plays.loaded_at as matched_at,\n        plays.loaded_at",
        ),
    ],
    "macros/blank_to_null.sql": [("trim(both ' ' from {{ column }}) <> ''", "{{ column }} <> ''")],
    "macros/unquote.sql": [
        ("'^\"(.*)\"$'", "'^\"(.*)\"'"),
        ("'^\"(.*)\"$'", "'\"(.*)\"$'"),
        (", 's')", ")"),
    ],
    "macros/comparable_name.sql": [
        ("lower(trim(both ' ' from {{ column }}))", "lower({{ column }})"),
        ("lower(trim(both ' ' from {{ column }}))", "trim(both ' ' from {{ column }})"),
        ("trim(both ' ' from {{ column }})", "trim(leading ' ' from {{ column }})"),
    ],
    "macros/epoch_ms_to_timestamp.sql": [
        (
            "epoch_ms(cast({{ column }} as bigint))",
            "epoch_ms(cast({{ column }} as bigint) // 1000 * 1000)",
        ),
    ],
    "macros/incremental/bounds.sql": [
        ("cast(min(", "cast(max("),
        ("cast(max(", "cast(min("),
        ("""~ last_column ~""", """~ column ~"""),
    ],
    "macros/incremental/get_incremental_bounded_delete_insert_sql.sql": [
        (""".get("event_end", event_time)""", """.get("event_start", event_time)"""),
    ],
    "macros/incremental/has_newer.sql": [
        ("| int > 0", "| int > 1"),
        ("    or (\n", "    and (\n"),
        ("        {{ column }} is not null\n        and ", "        "),
        ("where {{ than }} is null) > 0", "where {{ than }} is null) > 1"),
    ],
    "macros/incremental/smallest.sql": [("cast(min(", "cast(max(")],
    "macros/incremental/latest_version.sql": [
        ("loaded_at desc,", "loaded_at,"),
        ("            loaded_at desc,\n", ""),
        (
            'loaded_at desc,\n            {{ content | join(",\\n            ") }}',
            "loaded_at desc",
        ),
        (") = 1", ") <= 2"),
    ],
    "macros/match_key.sql": [
        (
            "        cast(length({{ title }}) as varchar(20)) || '|' || {{ title }}\n",
            "        {{ title }}\n",
        ),
        ("        || '|' || {{ artist_name }}\n", ""),
        ("        || '|' || coalesce(cast({{ length }} as varchar(32)), '')\n", ""),
        ("coalesce(cast({{ length }} as varchar(32)), '')", "cast({{ length }} as varchar(32))"),
    ],
    "macros/incremental/delete_former_plays.sql": [
        ('set is_new = "not is_play and loaded_at > "', 'set is_new = "is_play and loaded_at > "'),
    ],
    "macros/incremental/delete_hours_without_plays.sql": [
        ("start_hour not between", "start_hour between"),
    ],
    "macros/incremental/play_hours.sql": [
        ('"event_at", "is_play")', '"event_at")'),
        ("{% set first_missing = known_hours[1] %}", "{% set first_missing = found[1] %}"),
        ("found[0] >= known_hours[0]", "found[0] < known_hours[0]"),
        ("        {% if none in found %}\n", "        {% if known_hours[0] is none %}\n"),
        ('"is_play and event_at < "', '"event_at < "'),
        ('"is_play and event_at >= \'"', '"event_at >= \'"'),
        (".days + 1 %}", ".days %}"),
    ],
    "macros/inferred_id.sql": [
        ("upper(substring({{ key }}, 1, 16))", "upper(substring({{ key }}, 1, 15))"),
        ("upper(substring({{ key }}, 1, 16))", "substring({{ key }}, 1, 16)"),
    ],
    "macros/song_key.sql": [(" || '|' || ", " || ")],
    "macros/file_day.sql": [("[0-3][0-9][^0-9]", "[0-3][0-9]")],
    "macros/incomplete_days.sql": [
        ("    where all_days.day > edges.first_day and ", "    where "),
        (" and all_days.day < edges.last_day", ""),
        (
            "and others.session_count > 0\n                    then others.session_count",
            "then others.session_count",
        ),
        ("weekday_count >= 2", "weekday_count >= 1"),
        ("session_count + 3", "session_count"),
        ("day_count >= 7", "day_count >= 6"),
        ("            and usual_count >= 0.9 * day_count\n", ""),
        ("            and file_count < most_files\n", ""),
        ("judged.last_day - {{ days }}", "judged.last_day - 60"),
    ],
    "loader/plan.py": [
        ("DUCKDB_FILES = 5_000", "DUCKDB_FILES = 50_000"),
        ("BATCH_FILES = 100_000", "BATCH_FILES = 1_000_000"),
        ("BATCH_BYTES = 4 * 1024**3", "BATCH_BYTES = 40 * 1024**3"),
        ("SMALL_BYTES = 64 * 1024 ", "SMALL_BYTES = 64 * 1024 - 1 "),
        ("size + file.file_size > BATCH_BYTES", "size + file.file_size >= BATCH_BYTES"),
        ("size + file.file_size > BATCH_BYTES", "size > BATCH_BYTES"),
        ("if batch and (len(batch) == max_files", "if (len(batch) == max_files"),
        ("len(batch) == max_files or", "len(batch) > max_files or"),
        ("            batch, size = [], 0\n", "            batch = []\n"),
        ("    if batch:\n        yield batch", "    yield batch"),
        ("file.file_size <= SMALL_BYTES", "file.file_size < SMALL_BYTES"),
        ("is_s3(file.path) and file.file_size", "file.file_size"),
        ("join_from <= len", "join_from < len"),
        ("if 0 < join_from <=", "if join_from <="),
        ("is_any_left and not elsewhere", "is_any_left"),
        ("is_any_left and not elsewhere", "not elsewhere"),
        ('each["load_id"] == newest]', 'each["load_id"] < newest]'),
        ("if options.keep_gone or not gone", "if not gone"),
        ("for batch in split(small, BATCH_FILES)", "for batch in split(small, max_files)"),
        ('file.compression if is_redshift else ""', "file.compression"),
        ('file.compression if is_redshift else ""', '""'),
        (
            "max_files = BATCH_FILES if is_redshift else min(BATCH_FILES, DUCKDB_FILES)",
            "max_files = BATCH_FILES",
        ),
        (
            'source.files[each["first"] : each["last"] + 1]',
            'source.files[each["first"] : each["last"]]',
        ),
        ('ranges = sorted(ranges, key=lambda each: each["first"])', "ranges = list(ranges)"),
        (
            'for load_id in sorted({each["load_id"] for each in changed}):',
            'for load_id in sorted({each["load_id"] for each in changed}, reverse=True):',
        ),
        (
            'members = [each for each in comparison["ranges"] if',
            "members = [each for each in changed if",
        ),
        ('return sum(each["file_count"] for each in ranges)', "return len(ranges)"),
        ("if gone and options.dry_run", "if gone"),
        ("        changed = []\n", ""),
        ('"all", comparison["has_new_types"]', '"all"'),
    ],
    "loader/reading.py": [
        ("READ_AHEAD = 4 * THREADS", "READ_AHEAD = 4_000 * THREADS"),
        ("            pool.shutdown(cancel_futures=True)\n", ""),
        ("    if not decompressor.eof:\n", "    if False:\n"),
        ("decompressor = GZIP() if decompressor.eof else decompressor\n", "pass\n"),
        ("zlib.MAX_WBITS | 16", "-zlib.MAX_WBITS"),
        ("                chunk = decompressor.unused_data\n", '                chunk = b""\n'),
        (
            "yield pending.popleft().result()\n            while",
            "yield pending.pop().result()\n            while",
        ),
        (".json{SUFFIXES[file.compression]}", ".json"),
        ("(path.name, path.name.lower())", "(path.name, path.name)"),
        ('download(file, folder / f"{number:07}")', 'download(file, folder / f"{number % 9}")'),
        (
            "content = DECOMPRESS[compression](content) if compression else content\n",
            "pass\n",
        ),
        ("    refuse_other_formats(file.file_name, content)\n", ""),
        ("        refuse_other_formats(file.file_name, data)\n", ""),
        ("-(-len(files) // SAMPLE_FILES)", "len(files) // SAMPLE_FILES"),
        ("SAMPLE_FILES = 1_000", "SAMPLE_FILES = 500"),
        ("step = 1 if folder else ", "step = "),
        ("(len(files) - 1 - number) % step", "number % step"),
        ("min(MAX_SAMPLE_BYTES, max(", "max(MAX_SAMPLE_BYTES, max("),
        (
            "MAX_SAMPLE_BYTES, MIN_SAMPLE_BYTES = 64 * 1024,",
            "MAX_SAMPLE_BYTES, MIN_SAMPLE_BYTES = 32 * 1024,",
        ),
        ("piece.reason and folder and (is_whole or piece.is_json)", "piece.reason and folder"),
        (
            "piece.reason and folder and (is_whole or piece.is_json)",
            "piece.reason and (is_whole or piece.is_json)",
        ),
        ("dict.fromkeys(keys, file.file_name)", "dict.fromkeys(keys - inspected.keys.keys(), '')"),
        ("len(data) == file.file_size", "len(data) <= file.file_size"),
        ("decompressor.eof and not decompressor.unused_data", "decompressor.eof"),
        ("-(-len(files) // part_count(size)) or 1", "len(files) // part_count(size) or 1"),
        ("[first : first + share]", "[first : first + share - 1]"),
        ("part_{first:07}", "part_{first // 2:07}"),
        ("len(files) <= ONE_PROCESS_FILES and", "len(files) >= ONE_PROCESS_FILES and"),
        (
            "if len(joined.rejects) > (max_bad or 0):\n                count",
            "if False:\n                count",
        ),
        (
            "if len(joined.rejects) > (max_bad or 0):\n                        return",
            "if len(joined.rejects) >= (max_bad or 0):\n                        return",
        ),
        ("check_values=max_bad is not None", "check_values=True"),
        ("check_values=max_bad is not None", "check_values=False"),
        ("enumerate(pieces, start=1)", "enumerate(pieces)"),
        ("min(MAX_PARTS, 1 << (wanted - 1).bit_length())", "1 << (wanted - 1).bit_length()"),
        ("-(-size // PART_BYTES)", "size // PART_BYTES"),
        ("(wanted - 1).bit_length()", "wanted.bit_length()"),
        ("part.keys | joined.keys", "joined.keys | part.keys"),
        ("(wait([parent.sentinel]), os._exit(1))", "wait([parent.sentinel])"),
        ("        except BrokenProcessPool as error:", "        except MemoryError as error:"),
    ],
    "loader/rows.py": [
        ('_END = re.compile(r"\\n|', '_END = re.compile(r"'),
        ("OBJECT_BYTES = 4 * 1024**2", "OBJECT_BYTES = 5 * 1024**2"),
        ("> OBJECT_BYTES:\n", ">= OBJECT_BYTES:\n"),
        ("if len(piece) > OBJECT_BYTES // 4 and", "if len(piece) > OBJECT_BYTES and"),
        ('.removeprefix("\\ufeff")', ""),
        ("isinstance(value, dict) and fills_a_column(value, names)", "isinstance(value, dict)"),
        (
            "            end = _end_of_bad_piece(text, start)\n            yield",
            "            yield",
        ),
        ("each is not None and key.lower()", "key.lower()"),
        ("key.lower() in names", "key in names"),
        ("return brace.start()\n", "return brace.start()\n        break\n"),
        ("if _BEFORE_AN_OBJECT.match(text, _decode(text, brace.start())[1]):", "if True:"),
        (
            "if _BEFORE_AN_OBJECT.match(text, _decode(text, brace.start())[1]):",
            "if _decode(text, brace.start()):",
        ),
        ("match.end() if match else len(text)", "len(text)"),
        ("    for row in rows or [value]:", "    for row in [value]:"),
        ("            yield from _nested_rows(each, names)\n", "            pass\n"),
        ("content[:512], re.I | re.S)", "content[:512])"),
        ('        if "\\\\u" in piece:\n', "        if False:\n"),
        ("        piece.encode()\n", ""),
        ('.replace("\\0", "\\ufffd")', ""),
        ("value[:SHOWN_CHARACTERS], 4", "value, 4"),
        ('(errors="replace")[:size]', '(errors="replace")'),
        ('or (value == "" and not is_text)', ""),
        ('if len(text.encode(errors="replace")) > max_bytes:', "if len(text) > max_bytes:"),
        ('if len(text.encode(errors="replace")) > max_bytes:', "if False:"),
        ('return "a text with a NUL" if "\\0" in text else None', "return None"),
        ('or "_" in text', ""),
        ('if not math.isfinite(number) or "_"', 'if "_"'),
        (" or not text.isascii()", ""),
        ("number.is_integer() and abs(number)", "abs(number)"),
        ("abs(number) <= self.max_integer", "abs(number) <= self.max_integer + 1"),
        ("columns if check_values else ()", "columns"),
        ("column.name.lower() not in values", "column.name not in values"),
        ("values.get(column.name.lower())", "values.get(column.name)"),
    ],
    "loader/s3.py": [
        (""", "IfMatch": f'"{fingerprint}"'}""", "}"),
        ("attempt == attempts", "attempt > attempts"),
        ("not response or attempt", "attempt"),
        ("    attempt = 0\n", "    attempt = -1\n"),
        ("2 ** (attempt - 1)", "2**attempt"),
        ("{DENIED if code == 'AccessDenied' else ''}", ""),
        ('happened = "deleted" if code == "NoSuchKey" else "replaced"', 'happened = "deleted"'),
    ],
}

MUTATIONS = [Mutation(file, old, new) for file, changes in BY_FILE.items() for old, new in changes]

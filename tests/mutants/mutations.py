"""The mutations that `make mutants` makes: mistakes that somebody could make, by file.

Each is a text that the file has exactly once and what it is changed into; with "" it is dropped.
Mutations that change nothing that anybody could see have no place here.
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
        """The file's text with the change. Raises ValueError if it does not fit."""
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f"{self}: the old text is there {text.count(self.old)} times")
        return text.replace(self.old, self.new)

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}: {old} -> {new or 'nothing'}"


REFUSED = "tests/pipeline/test_s3_faults.py::test_what_trying_again_does_not_help"
DAMAGED = "tests/pipeline/test_s3_faults.py::test_a_damaged_gzip_is_named"
FIT = "tests/pipeline/test_loader.py::test_a_value_that_does_not_fit"
TOLD = "tests/pipeline/test_loader.py::test_a_file_without_json_is_told"
CORRECTED = "tests/pipeline/test_star.py::test_a_corrected_event_replaces_the_first[local]"
LATE_SONG = "tests/pipeline/test_star.py::test_a_late_song_takes_over_its_plays[local]"
LATE_EVENTS = (
    "tests/pipeline/test_star.py::test_late_events_split_a_level_and_lengthen_a_session[local]"
)
# The tests that tell where unit tests do not, which override some macros and see the queries of
# models alone.
MORE_TESTS = {
    "models/intermediate/int_heard_songs.sql": [CORRECTED],
    "models/marts/fct_sessions.sql": [LATE_EVENTS],
    "macros/bounds.sql": [CORRECTED],
    "macros/get_incremental_bounded_delete_insert_sql.sql": [LATE_EVENTS],
    "macros/has_rows.sql": [LATE_SONG],
    "macros/smallest.sql": [LATE_EVENTS],
    "loader/reading.py": ["tests/test_loader/test_rows.py", DAMAGED],
    "loader/rows.py": [FIT, TOLD],
    "loader/s3.py": ["tests/test_loader/test_reading.py", REFUSED],
}

BY_FILE: dict[str, list[tuple[str, str]]] = {
    "models/staging/stg_events.sql": [
        ("    where ts between {{ epoch_ms_limits() | join(' and ') }}\n", ""),
        ("""like '"%"'""", """like '"%'"""),
        ("""like '"%"'""", """like '%"'"""),
        ("length(useragent) - 2", "length(useragent) - 1"),
        ("blank_to_null('unquoted_useragent')", "blank_to_null('useragent')"),
    ],
    "models/staging/stg_songs.sql": [
        ("as integer), 0)", "as integer), 1)"),
        ("{{ blank_to_null('artist_location') }} as", "artist_location as"),
    ],
    "models/intermediate/int_plays.sql": [
        ("page = 'NextSong' and user_id is not null", "page = 'NextSong'"),
        ("page = 'NextSong' and user_id is not null", "user_id is not null"),
        ("coalesce(song_title, 'Unknown')", "coalesce(song_title, '')"),
        ("coalesce(artist_name, 'Unknown') as", "artist_name as"),
        ("|| '|' || cast(item_in_session as varchar(20))", ""),
        ("artist_key('artist_name')", "artist_key('song_title')"),
    ],
    "models/intermediate/int_songs.sql": [
        ("loaded_at desc,", "loaded_at,"),
        ("                title,\n                artist_id,", "                title desc,"),
        (" and artist_id is not null", ""),
        ("song_id is not null and ", ""),
    ],
    "models/intermediate/int_artist_names.sql": [
        ("count(*) desc, artist_id", "count(*), artist_id"),
        ("count(*) desc, artist_id", "artist_id"),
        ("count(*) desc, artist_id", "count(*) desc, artist_id desc"),
        ("where artist_key is not null", ""),
        ("where bearer_rank = 1", "where bearer_rank >= 1"),
    ],
    "models/intermediate/int_heard_songs.sql": [
        ("where song_title is null", "where song_title is not null and 1 = 0"),
        # An unlisted song's corrected length.
        (
            """
            or coalesce(events.song_length, -1)
            <> coalesce(new_plays.song_length, -1)""",
            "",
        ),
        ("<> coalesce(new_plays.song_length, -1)", "<> new_plays.song_length"),
        (
            "events.song_title <> new_plays.song_title\n            or ",
            "",
        ),
        ("            or events.artist_name <> new_plays.artist_name\n", ""),
        ("events.loaded_at < new_plays.loaded_at", "events.loaded_at <= new_plays.loaded_at"),
        ("events.songplay_id = new_plays.songplay_id", "events.ts = events.ts"),
        ("        and song_key not in (select song_key from corrected_songs)\n", ""),
        ("        song_key in (select song_key from new_plays)\n        and ", "        "),
        ("    where song_key in (select song_key from corrected_songs)\n", ""),
        ("        null as song_title,", "        'Unknown' as song_title,"),
        ("min(song_title)", "max(song_title)"),
        ("min(artist_name)", "max(artist_name)"),
        ("min(song_length)", "max(song_length)"),
        ("min(first_start_hour)", "max(first_start_hour)"),
        ("max(last_start_hour)", "min(last_start_hour)"),
        ("max(loaded_at)", "min(loaded_at)"),
        ("set is_new = 'loaded_at > '", "set is_new = 'loaded_at >= '"),
        ("        and {{ is_new }}\n", ""),
    ],
    "models/intermediate/int_locations.sql": [
        ("loaded_at > {{", "loaded_at >= {{"),
        ("    where location is not null", "    where 1 = 1"),
        ("max(loaded_at)", "min(loaded_at)"),
        ("    and loaded_at > {{ watermark('loaded_at') }}\n", ""),
    ],
    "models/intermediate/int_user_agents.sql": [
        ("loaded_at > {{", "loaded_at >= {{"),
        ("    where user_agent is not null", "    where 1 = 1"),
        ("max(loaded_at)", "min(loaded_at)"),
        ("    and loaded_at > {{ watermark('loaded_at') }}\n", ""),
    ],
    "models/marts/dim_artists.sql": [
        ("order by song_count desc, length(artist_name), artist_name", "order by artist_name"),
        ("song_count desc, length(artist_name), ", "song_count desc, "),
        ("length(artist_name), artist_name", "length(artist_name), artist_name desc"),
        ("    where artist_name is not null\n", ""),
        ("when artist_location is null then 3", "when artist_location is null then 2"),
        ("                    when artist_latitude is null then 2\n", ""),
        ("                    when artist_longitude is null then 2\n", ""),
        ("                song_id\n", "                song_id desc\n"),
        ("coalesce(spellings.artist_name, 'Unknown')", "spellings.artist_name"),
        ("min(heard_songs.artist_name)", "max(heard_songs.artist_name)"),
        ("    where artist_names.artist_id is null\n", ""),
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
        ("    where songs.song_id is null\n", ""),
        ("            artist_names.artist_id,\n", ""),
        ("heard_songs.song_length as duration", "cast(null as double precision) as duration"),
    ],
    "models/marts/dim_time.sql": [
        ("hours.start_hour >= bounds.first_start_hour", "1 = 1"),
        ("hours.start_hour <= bounds.last_start_hour", "1 = 1"),
        ("extract(dow from hours.start_hour)", "extract(isodow from hours.start_hour)"),
        ("    where hours.start_hour not in (select start_hour from {{ this }})\n", ""),
        (
            "'cast(numbered_hours.generated_number - 1 as integer)'",
            "'cast(numbered_hours.generated_number as integer)'",
        ),
        (
            "        max(last_start_hour) as last_start_hour",
            "        min(last_start_hour) as last_start_hour",
        ),
        (
            "        min(first_start_hour) as first_start_hour,",
            "        max(first_start_hour) as first_start_hour,",
        ),
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
        (
            "max(loaded_at) over (partition by user_id) as loaded_at,\n        row_number()",
            "loaded_at,\n        row_number()",
        ),
        ("partition by user_id, ts\n", "partition by user_id, session_id, ts\n"),
        ("                session_id desc,\n", ""),
        ("                item_in_session desc,\n", ""),
        ("                loaded_at desc,\n", ""),
        ("    and ts >= {{", "    and ts > {{"),
        ("        and valid_from_ts < (select min(ts) from events)\n", ""),
        ("valid_from_ts < (select", "valid_from_ts <= (select"),
        ("    and user_id in (select user_id from new_users)\n", ""),
        (
            "        user_id in (select user_id from new_users)\n        and valid_from_ts",
            "        valid_from_ts",
        ),
        ("        coalesce(level, '') as compared_level", "        level as compared_level"),
        ("lag(coalesce(level, '')) over", "lag(level) over"),
        (
            "where previous_level is null or previous_level <> compared_level",
            "where previous_level <> compared_level",
        ),
        ("lead(event_at)", "lag(event_at)"),
        ("user_id is not null and loaded_at > '", "user_id is not null and loaded_at >= '"),
        ("valid_to is null as is_current", "valid_to is not null as is_current"),
    ],
    "models/marts/dim_users.sql": [
        ("                ts desc,\n", ""),
        ("                session_id desc,\n", ""),
        ("                item_in_session desc,\n", ""),
        ("                loaded_at desc,\n", ""),
        ("    where user_id is not null\n", "    where 1 = 1\n"),
        ("loaded_at > {{", "loaded_at >= {{"),
        ("        known_users.user_id is null\n        or ", "        "),
        (
            "latest_events.latest_ts > known_users.latest_ts",
            "latest_events.latest_ts >= known_users.latest_ts",
        ),
        (
            "latest_events.latest_ts = known_users.latest_ts\n"
            "            and latest_events.latest_session_id > ",
            "latest_events.latest_session_id > ",
        ),
        (
            "latest_session_id > known_users.latest_session_id",
            "latest_session_id >= known_users.latest_session_id",
        ),
        (
            "latest_session_id > known_users.latest_session_id",
            "latest_session_id < known_users.latest_session_id",
        ),
        (
            "latest_events.latest_ts = known_users.latest_ts\n"
            "            and latest_events.latest_session_id = ",
            "latest_events.latest_session_id = ",
        ),
        ("            and latest_events.latest_session_id = known_users.latest_session_id\n", ""),
        (">= known_users.latest_item_in_session", "> known_users.latest_item_in_session"),
        (">= known_users.latest_item_in_session", "<= known_users.latest_item_in_session"),
    ],
    "models/marts/fct_sessions.sql": [
        ("        or events.ts between {{ times_of_known }}\n", ""),
        ("        or plays.ts between {{ times_of_known }}\n", ""),
        ("user_id is not null and loaded_at > '", "user_id is not null and loaded_at >= '"),
        ("            events.user_id = new_sessions.user_id\n            and ", "            "),
        ("            and events.session_id = new_sessions.session_id\n", ""),
        ("    where events.user_id is not null\n", ""),
        (
            "partition by user_id, session_id, item_in_session, ts\n",
            "partition by user_id, session_id, ts\n",
        ),
        (
            "                loaded_at desc,\n                page,",
            "                loaded_at,\n                page,",
        ),
        (
            "partition by user_id, session_id order by ts, item_in_session",
            "partition by user_id, session_id order by ts, item_in_session desc",
        ),
        ("order by ts desc, item_in_session desc", "order by ts desc, item_in_session"),
        ("min(ts) as start_ts", "max(ts) as start_ts"),
        ("max(event_at) as end_time", "min(event_at) as end_time"),
        ("page = 'Submit Downgrade'", "page = 'Downgrade'"),
        ("count(distinct song_key)", "count(song_key)"),
        ("count(distinct artist_key)", "count(distinct song_key)"),
        ("coalesce(heard.play_count, 0)", "coalesce(heard.play_count, 1)"),
        (
            "                loaded_at desc,\n                level,\n                song_title,",
            "                level,\n                song_title,",
        ),
        ("            and sessions.session_id = heard.session_id\n", ""),
        ("sessions.upgrades > 0", "sessions.upgrades > 1"),
        ("max(loaded_at) as loaded_at", "min(loaded_at) as loaded_at"),
    ],
    "models/marts/fct_songplays.sql": [
        ("    where loaded_at > {{", "    where loaded_at >= {{"),
        ("                loaded_at desc,\n", ""),
        (
            "                level,\n                song_title,",
            "                level desc,\n                song_title,",
        ),
        ("    where songs.loaded_at > {{ watermark('catalog_loaded_at') }}\n", ""),
        ("songs.loaded_at > {{ watermark", "songs.loaded_at >= {{ watermark"),
        ("select versions.artist_key", "select songs.artist_key"),
        ("    where catalog_loaded_at is null\n", "    where 1 = 0\n"),
        ("    where new_plays.songplay_id is null\n", ""),
        (
            "coalesce(abs(songs.duration - plays.song_length), 1e9)",
            "coalesce(songs.duration - plays.song_length, 1e9)",
        ),
        (
            "coalesce(abs(songs.duration - plays.song_length), 1e9)",
            "coalesce(abs(songs.duration - plays.song_length), 0)",
        ),
        (
            "coalesce(abs(songs.duration - plays.song_length), 1e9)",
            "coalesce(abs(songs.duration - plays.song_length), 1e3)",
        ),
        (
            "                songs.song_id\n        ) as candidate_rank",
            "                songs.song_id desc\n        ) as candidate_rank",
        ),
        ("            and plays.artist_key = songs.artist_key\n", ""),
        ("            and candidates.candidate_rank = 1\n", ""),
        ("            artist_names.artist_id,\n", ""),
        ("having max(loaded_at) >=", "having max(loaded_at) >"),
        ("having max(loaded_at) >=", "having max(loaded_at) <>"),
        ("having max(loaded_at) >=", "having min(loaded_at) >="),
        ("    select max(loaded_at) as loaded_at\n", "    select min(loaded_at) as loaded_at\n"),
        ("        or matched.previous_song_id <> matched.song_id\n", ""),
        ("        or matched.previous_artist_id <> matched.artist_id\n", ""),
        ("        matched.previous_catalog_loaded_at is null\n        or ", "        "),
    ],
    "macros/blank_to_null.sql": [("trim(both ' ' from {{ column }}) <> ''", "{{ column }} <> ''")],
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
    "macros/bounds.sql": [
        ("cast(min(", "cast(max("),
        ("cast(max(", "cast(min("),
        ("""~ last_column ~""", """~ column ~"""),
    ],
    "macros/get_incremental_bounded_delete_insert_sql.sql": [
        (""".get("event_end", event_time)""", """.get("event_start", event_time)"""),
    ],
    "macros/has_rows.sql": [("| int > 0", "| int > 1")],
    "macros/smallest.sql": [("cast(min(", "cast(max(")],
    "macros/inferred_id.sql": [
        ("upper(substring({{ key }}, 1, 16))", "upper(substring({{ key }}, 1, 15))"),
        ("upper(substring({{ key }}, 1, 16))", "substring({{ key }}, 1, 16)"),
    ],
    "macros/song_key.sql": [(" || '|' || ", " || ")],
    "loader/plan.py": [
        ("DUCKDB_FILES = 5_000", "DUCKDB_FILES = 50_000"),
        ("BATCH_FILES = 100_000", "BATCH_FILES = 1_000_000"),
        ("BATCH_BYTES = 4 * 1024**3", "BATCH_BYTES = 40 * 1024**3"),
        ("SMALL_BYTES = 64 * 1024 ", "SMALL_BYTES = 64 * 1024 - 1 "),
        ("size + file.file_size > BATCH_BYTES", "size + file.file_size >= BATCH_BYTES"),
        ("size + file.file_size > BATCH_BYTES", "size > BATCH_BYTES"),
        ("if batch and (len(batch) == most", "if (len(batch) == most"),
        ("len(batch) == most or", "len(batch) > most or"),
        ("            batch, size = [], 0\n", "            batch = []\n"),
        ("    if batch:\n        yield batch", "    yield batch"),
        ("file.file_size <= SMALL_BYTES", "file.file_size < SMALL_BYTES"),
        ("is_s3(file.path) and file.file_size", "file.file_size"),
        ("join_from <= len", "join_from < len"),
        ("if 0 < join_from <=", "if join_from <="),
        ("is_any_left and not elsewhere", "is_any_left"),
        ("is_any_left and not elsewhere", "not elsewhere"),
        ('run["load_id"] == newest]', 'run["load_id"] < newest]'),
        ("if options.keep_gone or not gone", "if not gone"),
        ("for each in split(small, BATCH_FILES)", "for each in split(small, most)"),
        ('file.compression if is_redshift else ""', "file.compression"),
        ('file.compression if is_redshift else ""', '""'),
        (
            "most = BATCH_FILES if is_redshift else min(BATCH_FILES, DUCKDB_FILES)",
            "most = BATCH_FILES",
        ),
        (
            'source.files[run["first"] : run["last"] + 1]',
            'source.files[run["first"] : run["last"]]',
        ),
        ('runs = sorted(runs, key=lambda run: run["first"])', "runs = list(runs)"),
        (
            'for load_id in sorted({run["load_id"] for run in changed}):',
            'for load_id in sorted({run["load_id"] for run in changed}, reverse=True):',
        ),
        (
            'members = [run for run in told["files"] if run["load_id"] == load_id]',
            'members = [run for run in changed if run["load_id"] == load_id]',
        ),
        ('return sum(run["file_count"] for run in runs)', "return len(runs)"),
        ("if gone and options.dry_run", "if gone"),
        ("        changed = []\n", ""),
        ('"all", told["is_new_type"]', '"all"'),
    ],
    "loader/reading.py": [
        ("READ_AHEAD = 4 * THREADS", "READ_AHEAD = 4_000 * THREADS"),
        ("            pool.shutdown(cancel_futures=True)\n", ""),
        ("    if not unpack.eof:\n", "    if False:\n"),
        ('unpack = UNPACK["gzip"]() if unpack.eof else unpack\n', "pass\n"),
        ("zlib.MAX_WBITS | 16", "-zlib.MAX_WBITS"),
        ("                chunk = unpack.unused_data\n", '                chunk = b""\n'),
        (
            "yield waiting.popleft().result()\n            while",
            "yield waiting.pop().result()\n            while",
        ),
        (".json{SUFFIXES[file.compression]}", ".json"),
        ("(path.name, path.name.lower())", "(path.name, path.name)"),
        ('fetch(file, folder / f"{number:07}")', 'fetch(file, folder / f"{number % 9}")'),
        (
            "        if (compression := compression_of(content)) in DECOMPRESS:\n",
            "        if (compression := compression_of(content)) is None:\n",
        ),
        ("    refuse_foreign(file.file_name, content)\n", ""),
        ("        refuse_foreign(file.file_name, data)\n", ""),
        ("-(-len(files) // FILES_AT_MOST)", "len(files) // FILES_AT_MOST"),
        ("FILES_AT_MOST = 1_000", "FILES_AT_MOST = 500"),
        ("step = 1 if folder else ", "step = "),
        ("(len(files) - 1 - number) % step", "number % step"),
        ("min(LARGEST_BYTES, max(SMALLEST_BYTES,", "max(LARGEST_BYTES, max(SMALLEST_BYTES,"),
        (
            "LARGEST_BYTES, SMALLEST_BYTES = 64 * 1024,",
            "LARGEST_BYTES, SMALLEST_BYTES = 32 * 1024,",
        ),
        ("piece.reason and folder and (is_whole or piece.is_json)", "piece.reason and folder"),
        (
            "piece.reason and folder and (is_whole or piece.is_json)",
            "piece.reason and (is_whole or piece.is_json)",
        ),
        ("dict.fromkeys(keys, file.file_name)", "dict.fromkeys(keys - looked.keys.keys(), '')"),
        ("len(data) == file.file_size", "len(data) <= file.file_size"),
        ("unpack.eof and not unpack.unused_data", "unpack.eof"),
        ("-(-len(files) // part_count(size)) or 1", "len(files) // part_count(size) or 1"),
        ("[first : first + share]", "[first : first + share - 1]"),
        ("part_{first:07}", "part_{first // 2:07}"),
        ("len(files) <= FILES_ALONE and", "len(files) >= FILES_ALONE and"),
        (
            "if len(joined.rejects) > (max_bad or 0):\n                count",
            "if False:\n                count",
        ),
        (
            "if len(joined.rejects) > (max_bad or 0):\n                        return",
            "if len(joined.rejects) >= (max_bad or 0):\n                        return",
        ),
        ("is_judged=max_bad is not None", "is_judged=True"),
        ("is_judged=max_bad is not None", "is_judged=False"),
        ("enumerate(pieces, start=1)", "enumerate(pieces)"),
        ("min(PARTS_AT_MOST, 1 << (wanted - 1).bit_length())", "1 << (wanted - 1).bit_length()"),
        ("-(-size // PART_BYTES)", "size // PART_BYTES"),
        ("(wanted - 1).bit_length()", "wanted.bit_length()"),
        ("part.keys | joined.keys", "joined.keys | part.keys"),
        ("target=lambda: (parent.join(), os._exit(1))", "target=lambda: parent.join()"),
        ("        except BrokenProcessPool as error:", "        except MemoryError as error:"),
    ],
    "loader/rows.py": [
        ('_END = re.compile(r"\\n|', '_END = re.compile(r"'),
        ("LARGEST_BYTES = 4 * 1024**2", "LARGEST_BYTES = 5 * 1024**2"),
        ("> LARGEST_BYTES:\n", ">= LARGEST_BYTES:\n"),
        ("if len(piece) > LARGEST_BYTES // 4 and", "if len(piece) > LARGEST_BYTES and"),
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
        ("found.end() if found else len(text)", "len(text)"),
        ("    for row in rows or [value]:", "    for row in [value]:"),
        ("            yield from _rows_of(each, names)\n", "            pass\n"),
        ("content[:512], re.I | re.S)", "content[:512])"),
        ('        if "\\\\u" in piece:\n', "        if False:\n"),
        ("        piece.encode()\n", ""),
        ('.replace("\\0", "\\ufffd")', ""),
        ("value[:SHOWN_CHARACTERS], 4", "value, 4"),
        ('(errors="replace")[:most]', '(errors="replace")'),
        ('or (value == "" and not is_text)', ""),
        ('if len(text.encode(errors="replace")) > most:', "if len(text) > most:"),
        ('if len(text.encode(errors="replace")) > most:', "if False:"),
        ('return "a text with a NUL" if "\\0" in text else None', "return None"),
        ('or "_" in written', ""),
        ('if not math.isfinite(number) or "_"', 'if "_"'),
        (" or not written.isascii()", ""),
        ("number.is_integer() and abs(number)", "abs(number)"),
        ("abs(number) <= self.largest_whole", "abs(number) <= self.largest_whole + 1"),
        ("columns if is_judged else ()", "columns"),
        ("column.name.lower() not in found", "column.name not in found"),
        ("found.get(column.name.lower())", "found.get(column.name)"),
    ],
    "loader/s3.py": [
        (""", "IfMatch": f'"{fingerprint}"'}""", "}"),
        ("attempt == attempts", "attempt > attempts"),
        ("not answer or attempt", "attempt"),
        ("itertools.count(1)", "itertools.count()"),
        ("2 ** (attempt - 1)", "2**attempt"),
        ("{DENIED if code == 'AccessDenied' else ''}", ""),
        ('happened = "deleted" if code == "NoSuchKey" else "replaced"', 'happened = "deleted"'),
    ],
}

MUTATIONS = [Mutation(file, old, new) for file, changes in BY_FILE.items() for old, new in changes]

"""COPY of JSON from S3: what it loads, and how it converts values."""

import bz2
import gzip
import json
import threading
import time
from decimal import Decimal

import boto3
import pytest

_OPTIONS = "iam_role default format as json 'auto'"


@pytest.fixture
def load(db):
    """A function that loads `body` into a new table with `columns` and returns its rows."""

    def load(columns: str, body: str | bytes, options: str = _OPTIONS, listed: str = "") -> list:
        url = db.put(f"{db.schema}/data.json", body)
        db.run("drop table if exists t")
        db.run(f"create table t ({columns})")
        db.run(f"copy t {listed} from '{url}' {options}")
        return db.run("select * from t")

    return load


def _manifest(*entries: dict) -> str:
    return json.dumps({"entries": list(entries)})


def test_objects_need_no_separator(load):
    """[guide:r_COPY_command_examples]: '}{', white space, pretty-printed objects."""
    body = '{"a":1}{"a":\n2}  \n\n\t{"a":3}'
    assert load("a int", body) == [(1,), (2,), (3,)]


def test_auto_is_case_sensitive(load):
    """[guide:copy-parameters-data-format]: a key with a capital letter never matches a column."""
    assert load("firstname varchar, x int", '{"firstName":"A","x":1}') == [(None, 1)]


def test_auto_ignorecase(load):
    """[guide:copy-parameters-data-format]"""
    options = "iam_role default json 'auto ignorecase'"
    assert load("firstname varchar", '{"firstName":"A"}', options) == [("A",)]


def test_unknown_keys_are_ignored_and_absent_ones_null(load):
    """[guide:copy-parameters-data-format]"""
    assert load("a int, b varchar", '{"z":1,"a":2}') == [(2, None)]


def test_absent_key_of_a_listed_column_is_null_not_default(load):
    """[guide:copy-parameters-column-mapping]"""
    assert load("a int, b int default 7", '{"a":1}') == [(1, None)]


def test_column_outside_the_list_gets_its_default(load):
    """[guide:copy-parameters-column-mapping]"""
    assert load("a int, b int default 7", '{"a":1,"b":2}', listed="(a)") == [(1, 7)]


def test_default_is_evaluated_once_per_copy(load):
    """[guide:c_loading_default_values]: RANDOM() gives one value for all rows."""
    body = "".join('{"a":1}' for _ in range(20))
    rows = load("a int, r float default random()", body, listed="(a)")
    assert len(rows) == 20 and len({r for _, r in rows}) == 1


@pytest.mark.assumed("GETDATE() as a column's default has one value per COPY, in whole seconds")
def test_getdate_as_default(db):
    """Documented for SYSDATE and RANDOM() alone. [guide:c_loading_default_values]"""
    urls = [db.put(f"{db.schema}/{n}", '{"a":1}' * 5000) for n in range(8)]
    manifest = db.put(f"{db.schema}/m", _manifest(*({"url": u, "mandatory": True} for u in urls)))
    db.run("create table t (a int, at timestamp default getdate())")
    db.run(f"copy t (a) from '{manifest}' {_OPTIONS} manifest")
    count, first, last = db.run("select count(*), min(at), max(at) from t")[0]
    assert (count, first, first.microsecond) == (40_000, last, 0)


def test_identity_is_numbered_unless_explicit(load, db):
    """[guide:copy-parameters-data-conversion]: EXPLICIT_IDS and the column list go together."""
    assert load("i bigint identity(5,1), a int", '{"a":1}') == [(5, 1)]
    url = db.put(f"{db.schema}/ids", '{"a":1,"i":50}')
    db.refused(f"copy t (i, a) from '{url}' {_OPTIONS}", "EXPLICIT_IDS")
    db.refused(f"copy t (a) from '{url}' {_OPTIONS} explicit_ids", "EXPLICIT_IDS")
    db.run(f"copy t (i, a) from '{url}' {_OPTIONS} explicit_ids")
    assert (50, 1) in db.run("select * from t")


def test_empty_string_is_null_except_for_strings(load):
    """[guide:copy-parameters-data-conversion]"""
    columns = "a int, b bigint, c timestamp, d varchar, e boolean, f float"
    row = load(columns, '{"a":"","b":"","c":"","d":"","e":"","f":""}')[0]
    assert row == (None, None, None, "", None, None)


def test_emptyasnull_and_blanksasnull(load):
    """[guide:copy-parameters-data-conversion]"""
    body = '{"a":"","b":"  "}'
    assert load("a varchar, b varchar", body, _OPTIONS + " emptyasnull") == [(None, "  ")]
    assert load("a varchar, b varchar", body, _OPTIONS + " blanksasnull") == [("", None)]


@pytest.mark.assumed("COPY loads a JSON null as NULL")
def test_json_null_is_null(load):
    assert load("a int, b varchar", '{"a":null,"b":null}') == [(None, None)]


@pytest.mark.assumed("COPY decodes all escapes of JSON strings, surrogate pairs too")
def test_escapes_are_decoded(load):
    """[guide:copy-usage_notes-copy-from-json]"""
    body = r'{"a":"tab\t nl\n slash\/ back\\ quote\" \u00e9 \ud83d\ude00"}'
    assert load("a varchar", body) == [('tab\t nl\n slash/ back\\ quote" é 😀',)]


@pytest.mark.assumed(
    "COPY puts a JSON number into a VARCHAR column with the text that the file has"
)
def test_number_into_varchar_keeps_its_text(load):
    """The text of the file."""
    assert load("a varchar, b varchar", '{"a":112,"b":1.50e3}') == [("112", "1.50e3")]


def test_nested_value_into_varchar_is_its_json_text(load):
    """[guide:copy-usage_notes-copy-from-json]"""
    assert load("a varchar", '{"a":{"b":[1,2.0]}}') == [('{"b":[1,2.0]}',)]


def test_super_columns(load, db):
    """[guide:ingest-super]: nested values under 'auto', the whole object with 'noshred'."""
    load("a super", '{"a":{"b":1}}')
    assert db.value("select json_serialize(a) from t") == '{"b": 1}'
    load("whole super", '{"a":{"b":1}}', "iam_role default json 'noshred'")
    assert db.value("select json_extract_path_text(json_serialize(whole), 'a', 'b') from t") == "1"


def test_decimal_is_cut_and_roundec_rounds(load):
    """A bare DECIMAL is (18,0).
    [guide:copy-parameters-data-conversion, r_Numeric_types201]"""
    body = '{"a":218.99,"b":1.239}'
    columns = "a decimal, b decimal(5,2)"
    assert load(columns, body) == [(Decimal(218), Decimal("1.23"))]
    assert load(columns, body, _OPTIONS + " roundec") == [(Decimal(219), Decimal("1.24"))]


def test_epochmillisecs(load):
    """[guide:copy-parameters-data-conversion]"""
    options = _OPTIONS + " timeformat 'epochmillisecs'"
    assert str(load("a timestamp", '{"a":1541105830796}', options)[0][0]) == (
        "2018-11-01 20:57:10.796000"
    )


@pytest.mark.assumed("TIMEFORMAT 'epochmillisecs' refuses a number with a fraction, even .0")
def test_epochmillisecs_with_a_fraction(db):
    url = db.put(f"{db.schema}/1", '{"a":1541105830796.0}')
    db.run("create table t (a timestamp)")
    db.refused(f"copy t from '{url}' {_OPTIONS} timeformat 'epochmillisecs'", "Load into table 't'")


def test_epochsecs_and_patterns(load):
    """[guide:copy-parameters-data-conversion]"""
    options = _OPTIONS + " timeformat 'epochsecs'"
    assert str(load("a timestamp", '{"a":"1541105830"}', options)[0][0]) == "2018-11-01 20:57:10"
    options = _OPTIONS + " timeformat 'DD.MM.YYYY HH:MI:SS' dateformat 'MM/DD/YYYY'"
    row = load("a timestamp, b date", '{"a":"02.11.2018 20:57:10","b":"12/31/2018"}', options)[0]
    assert [str(v) for v in row] == ["2018-11-02 20:57:10", "2018-12-31"]


def test_default_time_formats(load):
    """[guide:automatic-recognition]: a date loses its time, a timestamp may lack one."""
    row = load("a date, b timestamp", '{"a":"2018-11-01 20:57:10","b":"2018-11-01"}')[0]
    assert [str(v) for v in row] == ["2018-11-01", "2018-11-01 00:00:00"]


def test_booleans(load):
    assert load("a bool, b bool, c bool", '{"a":true,"b":"f","c":1}') == [(True, False, True)]


def test_truncatecolumns_cuts_whole_characters(load):
    """[guide:copy-parameters-data-conversion]: n counts bytes."""
    options = _OPTIONS + " truncatecolumns"
    assert load("a varchar(4)", '{"a":"aééé"}', options) == [("aé",)]


def test_acceptinvchars_replaces_bad_bytes(load):
    """[guide:multi-byte-character-load-errors]"""
    options = _OPTIONS + " acceptinvchars as '^'"
    assert load("a varchar", b'{"a":"x\xa4y"}', options) == [("x^y",)]


def test_jsonpaths(load, db):
    """[guide:copy-parameters-data-format]: by position; a missing key is NULL; [1] is an index."""
    paths = db.put(
        f"{db.schema}.paths", "{\"jsonpaths\":[\"$['b']['c']\",\"$['list'][1]\",\"$['z']\"]}"
    )
    options = f"iam_role default json '{paths}'"
    assert load("a int, b int, c int", '{"b":{"c":3},"list":[1,2]}', options) == [(3, 2, None)]


def test_jsonpaths_of_top_level_array(load, db):
    """[guide:copy-parameters-data-format]: a top-level array is one row."""
    paths = db.put(f"{db.schema}.paths", '{"jsonpaths":["$[1]","$[0]"]}')
    assert load("a int, b int", "[1,2]\n[3,4]", f"iam_role default json '{paths}'") == [
        (2, 1),
        (4, 3),
    ]


def test_jsonpaths_file_with_another_key_means_auto(load, db):
    """[guide:copy-parameters-data-format]"""
    paths = db.put(f"{db.schema}.paths", '{"paths":["$[\'b\']"]}')
    assert load("a int", '{"a":1,"b":2}', f"iam_role default json '{paths}'") == [(1,)]


def test_jsonpaths_errors(load, db):
    """[guide:copy-parameters-data-format]: notations do not mix; arrays must have the element."""
    for expression, text in (
        ("$.a['b']", "mixed notations"),
        ("$[*]", "Invalid JSONPath format"),
        ("$['l'][5]", "Not an array or index out of range."),
    ):
        paths = db.put(f"{db.schema}.paths", json.dumps({"jsonpaths": [expression]}))
        with pytest.raises(Exception, match=text.replace("*", r"\*")):
            load("a int", '{"l":[1]}', f"iam_role default json '{paths}' maxerror 5")


def test_plain_path_is_a_prefix(db):
    """[guide:copy-parameters-data-source-s3]"""
    for name in ("song_data/1.json", "song_data_old/2.json"):
        db.put(f"{db.schema}/{name}", '{"a":1}')
    db.run("create table t (a int)")
    db.run(f"copy t from 's3://fake-redshift/{db.schema}/song_data' {_OPTIONS}")
    assert db.value("select count(*) from t") == 2
    db.run(f"copy t from 's3://fake-redshift/{db.schema}/song_data/' {_OPTIONS}")
    assert db.value("select count(*) from t") == 3


def test_prefix_that_matches_nothing(db):
    """[public]"""
    db.run("create table t (a int)")
    db.refused(
        f"copy t from 's3://fake-redshift/none/' {_OPTIONS}",
        "The specified S3 prefix 'none/' does not exist",
    )


@pytest.mark.assumed("COPY skips empty objects whose keys end in a slash")
def test_folder_marker_loads_nothing(db):
    db.put(f"{db.schema}/p/", "")
    db.put(f"{db.schema}/p/1", '{"a":1}')
    db.run("create table t (a int)")
    db.run(f"copy t from 's3://fake-redshift/{db.schema}/p/' {_OPTIONS}")
    assert db.value("select count(*) from t") == 1


def test_manifest_loads_a_file_as_often_as_listed(db):
    """[guide:loading-data-files-using-manifest]: twice if listed twice; other keys are ignored."""
    url = db.put(f"{db.schema}/1", '{"a":1}')
    entry = {"url": url, "mandatory": True, "meta": {"content_length": 7}}
    manifest = db.put(f"{db.schema}/m", _manifest(entry, entry))
    db.run("create table t (a int)")
    db.run(f"copy t from '{manifest}' {_OPTIONS} manifest")
    assert db.run("select * from t") == [(1,), (1,)]


def test_manifest_mandatory(db):
    """[guide:loading-data-files-using-manifest]: a missing file is skipped unless mandatory."""
    url = db.put(f"{db.schema}/1", '{"a":1}')
    missing = {"url": url + "-none"}
    db.run("create table t (a int)")
    manifest = db.put(f"{db.schema}/m1", _manifest({"url": url}, missing))
    db.run(f"copy t from '{manifest}' {_OPTIONS} manifest")
    assert db.value("select count(*) from t") == 1
    manifest = db.put(f"{db.schema}/m2", _manifest({"url": url}, missing | {"mandatory": True}))
    db.refused(f"copy t from '{manifest}' {_OPTIONS} manifest", "NoSuchKey")
    manifest = db.put(f"{db.schema}/m3", _manifest(missing))
    db.refused(f"copy t from '{manifest}' {_OPTIONS} manifest", "No file")


def test_manifest_url_is_not_a_prefix(db):
    """[guide:loading-data-files-using-manifest]"""
    url = db.put(f"{db.schema}/data1", '{"a":1}')
    manifest = db.put(f"{db.schema}/m", _manifest({"url": url[:-1], "mandatory": True}))
    db.run("create table t (a int)")
    db.refused(f"copy t from '{manifest}' {_OPTIONS} manifest", "NoSuchKey")


def test_manifest_must_be_an_exact_key(db):
    """[guide:r_Load_Error_Reference] 8001"""
    db.put(f"{db.schema}/m.json", _manifest())
    db.run("create table t (a int)")
    error = db.error(f"copy t from 's3://fake-redshift/{db.schema}/m' {_OPTIONS} manifest")
    assert "8001" in error["D"]


def test_manifest_without_the_keyword_is_data(db):
    """[guide:copy-parameters-data-source-s3]"""
    manifest = db.put(f"{db.schema}/m", _manifest({"url": "s3://x/y"}))
    db.run("create table t (a int)")
    db.run(f"copy t from '{manifest}' {_OPTIONS}")
    assert db.run("select * from t") == [(None,)]


def test_gzip_is_a_keyword(db):
    """[guide:copy-parameters-file-compression]: the suffix of the key does not matter."""
    body = b'{"a":1}'
    zipped = db.put(f"{db.schema}/1.gz", gzip.compress(body))
    plain = db.put(f"{db.schema}/2.gz", body)
    squeezed = db.put(f"{db.schema}/3", bz2.compress(body))
    db.run("create table t (a int)")
    db.refused(f"copy t from '{zipped}' {_OPTIONS}", "Load into table 't' failed.")
    db.refused(f"copy t from '{plain}' {_OPTIONS} gzip", "Failed to decompress")
    db.run(f"copy t from '{zipped}' {_OPTIONS} gzip")
    db.run(f"copy t from '{squeezed}' {_OPTIONS} bzip2")
    assert db.value("select count(*) from t") == 2


@pytest.mark.assumed("COPY refuses a truncated gzip file")
@pytest.mark.parametrize("size", [0, 5, 12, -9, -1])
def test_truncated_gzip_is_refused(db, size):
    """Documented for lzop: "failed to inflate with lzop: unexpected end of file"."""
    body = gzip.compress(b'{"a":1}' * 100)
    cut = db.put(f"{db.schema}/1.gz", body[:size])
    second_cut = db.put(f"{db.schema}/2.gz", body + body[: size or 1])
    db.run("create table t (a int)")
    for url in (cut, second_cut):
        db.refused(f"copy t from '{url}' {_OPTIONS} gzip", "Failed to decompress")
    assert db.value("select count(*) from t") == 0


def test_noload_loads_nothing(db):
    """[guide:copy-parameters-data-load]"""
    url = db.put(f"{db.schema}/1", '{"a":1}')
    db.run("create table t (a int)")
    db.run(f"copy t from '{url}' {_OPTIONS} noload")
    assert db.value("select count(*) from t") == 0
    bad = db.put(f"{db.schema}/2", '{"a":"x"}')
    db.refused(f"copy t from '{bad}' {_OPTIONS} noload", "Load into table 't' failed.")


def test_ignoreheader_counts_lines(load):
    """[guide:copy-parameters-data-format]"""
    assert load("a int", '{"a":1}\n{"a":2}', _OPTIONS + " ignoreheader 1") == [(2,)]


def test_options_in_any_order(load, db):
    """[guide:ingest-super]: REGION before IAM_ROLE, FORMAT last."""
    options = (
        "region 'us-west-2' maxerror 0 compupdate off statupdate on manifest iam_role "
        "'arn:aws:iam::123456789012:role/copy' format json 'auto'"
    )
    url = db.put(f"{db.schema}/x", '{"a":1}')
    body = _manifest({"url": url, "mandatory": True})
    assert load("a int", body, options) == [(1,)]


@pytest.mark.parametrize(
    "option",
    ["csv", "delimiter ','", "escape", "fillrecord", "fixedwidth 'a:1'", "ignoreblanklines",
     "null as 'x'", "readratio 50", "removequotes"],
)  # fmt: skip
def test_options_that_json_does_not_allow(db, option):
    """[guide:copy-parameters-data-format]"""
    db.run("create table t (a int)")
    db.refused(f"copy t from 's3://fake-redshift/x' {_OPTIONS} {option}", "not supported with JSON")


def test_required_clauses(db):
    """[guide:r_COPY]: table, source and authorization; one error option."""
    db.run("create table t (a int)")
    db.refused("copy t from 's3://fake-redshift/x' json 'auto'", "Missing credentials")
    db.refused("copy t from 's3://fake-redshift/x' iam_role 'x' json 'auto'", "Invalid credentials")
    db.refused(f"copy t from 's3://fake-redshift/x' {_OPTIONS} nonsense", "syntax error")
    db.refused(
        f"copy t from 's3://fake-redshift/x' {_OPTIONS} maxerror 1 ignoreallerrors", "exclude"
    )
    db.refused(f"copy t from 's3://fake-redshift/x' {_OPTIONS} maxerror 100001", "MAXERROR")
    db.refused(f"copy none from 's3://fake-redshift/x' {_OPTIONS}", "nonexistent table")


@pytest.mark.standin("it needs a bucket in another region")
def test_region_must_be_that_of_the_bucket(db, cluster):
    """[guide:copy-parameters-data-source-s3]"""
    europe = boto3.client(
        "s3",
        region_name="eu-west-1",
        endpoint_url=cluster.s3_endpoint,
        aws_access_key_id="fake",
        aws_secret_access_key="fake",
    )
    location = {"LocationConstraint": "eu-west-1"}
    europe.create_bucket(Bucket="elsewhere", CreateBucketConfiguration=location)
    url = db.put("x", '{"a":1}', bucket="elsewhere")
    db.run("create table t (a int)")
    db.refused(f"copy t from '{url}' {_OPTIONS}", "must be addressed using the specified endpoint")
    db.run(f"copy t from '{url}' {_OPTIONS} region 'eu-west-1'")
    assert db.value("select count(*) from t") == 1


def test_missing_bucket(db):
    db.run("create table t (a int)")
    db.refused(f"copy t from 's3://no-such-bucket/x' {_OPTIONS}", "S3ServiceException:")


def test_insert_privilege_is_needed(db, connect):
    """[guide:r_COPY]"""
    db.run("create table t (a int)")
    db.run(f"create user {db.schema} password 'Secret123'")
    db.run(f"grant usage on schema {db.schema} to {db.schema}")
    other = connect(db.schema, "Secret123")
    url = db.put(f"{db.schema}/1", '{"a":1}')
    copy = f"copy {db.schema}.t from '{url}' {_OPTIONS}"
    other.refused(copy, "permission denied for relation t")
    db.run(f"grant insert on t to {db.schema}")
    other.run(copy)


def test_copy_into_tables_only_the_session_sees(db):
    """Temporary tables, and tables of the open transaction. [guide:r_COPY]"""
    url = db.put(f"{db.schema}/1", '{"a":1}')
    db.run("begin")
    db.run("create temp table own (a int)")
    db.run(f"copy own from '{url}' {_OPTIONS}")
    assert db.value("select count(*) from own") == 1
    db.run("rollback")


def test_info_message_and_command_tag(db):
    """[guide:r_COPY_command_examples]; rowcount stays -1. [driver:core.py]"""
    url = db.put(f"{db.schema}/1", '{"a":1}{"a":2}')
    db.run("create table t (a int)")
    cursor = db.connection.cursor()
    cursor.execute(f"copy t from '{url}' {_OPTIONS}")
    assert cursor.rowcount == -1
    notice = db.connection.notices[-1]
    assert notice[b"S"] == b"INFO"
    assert notice[b"M"] == b"Load into table 't' completed, 2 record(s) loaded successfully."


@pytest.mark.standin("it reads the statements sent")
def test_copy_in_the_statement_log(db):
    url = db.put(f"{db.schema}/1", '{"a":1}{"a":2}')
    db.run("create table t (a int)")
    db.run(f"copy t from '{url}' {_OPTIONS}")
    entry = [s for s in db.cluster.statements if s.sql.startswith("copy t")][-1]
    assert (entry.tag, entry.rows) == ("COPY", 2)


def test_other_sessions_work_during_a_load(db, connect):
    """A load does not block other sessions, and is reasonably fast."""
    row = '{"a":%d,"b":"some text","c":1.5}\n'
    url = db.put(f"{db.schema}/big", "".join(row % n for n in range(100_000)))
    db.run("create table t (a int, b varchar, c float)")
    other = connect()
    loader = threading.Thread(target=db.run, args=[f"copy t from '{url}' {_OPTIONS}"])
    started = time.monotonic()
    loader.start()
    answered = 0
    while loader.is_alive():
        other.run("select 1")
        answered += 1
    assert time.monotonic() - started < 20
    assert answered > 5
    assert db.value("select sum(a) from t") == 4999950000

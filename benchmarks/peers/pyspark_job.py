"""The whole job with PySpark: reads an input and writes the star's five tables as Parquet.

    python benchmarks/peers/pyspark_job.py input output

Needs Java. Tuned for one machine: two cores, explicit schemas, as many shuffle partitions as cores,
raw events cached in memory. Prints {"whole job": seconds, "fct_songplays": rows, ...}.
"""

from __future__ import annotations

import json
import sys
import time

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f

EVENTS = """artist string, auth string, firstName string, gender string, itemInSession int,
    lastName string, length double, level string, location string, method string, page string,
    registration double, sessionId bigint, song string, status int, ts bigint, userAgent string,
    userId string"""
SONGS = """num_songs int, artist_id string, artist_latitude double, artist_longitude double,
    artist_location string, artist_name string, song_id string, title string, duration double,
    year int"""


def first(frame: DataFrame, keys: list[str], *order) -> DataFrame:
    """The first row of each key."""
    ranked = frame.withColumn("r", f.row_number().over(Window.partitionBy(*keys).orderBy(*order)))
    return ranked.where("r = 1").drop("r")


def keyed(frame: DataFrame, title: str, artist: str) -> DataFrame:
    """Adds the keys by which songs and artists are matched."""
    song = f.concat_ws("|", f.lower(f.trim(title)), f.lower(f.trim(artist)))
    return frame.withColumn("song_key", f.md5(song)).withColumn(
        "artist_key", f.md5(f.lower(f.trim(artist)))
    )


def star(events: DataFrame, songs: DataFrame) -> dict[str, DataFrame]:
    """The five tables, by the rules of the models."""
    songs = keyed(first(songs, ["song_id"], "title"), "title", "artist_name").cache()
    names = first(
        songs.groupBy("artist_key", "artist_id").count(),
        ["artist_key"],
        f.desc("count"),
        "artist_id",
    ).select("artist_key", f.col("artist_id").alias("named_id"))
    plays = events.where("page = 'NextSong' and userId <> ''").select(
        f.md5(f.concat_ws("|", "userId", "sessionId", "itemInSession", "ts")).alias("songplay_id"),
        f.timestamp_millis("ts").alias("start_time"),
        f.col("userId").cast("bigint").alias("user_id"),
        "level",
        f.col("sessionId").alias("session_id"),
        "location",
        "userAgent",
        f.coalesce("song", f.lit("Unknown")).alias("song_title"),
        f.coalesce("artist", f.lit("Unknown")).alias("artist_name"),
        f.col("length").alias("song_length"),
    )
    plays = keyed(first(plays, ["songplay_id"], "level"), "song_title", "artist_name").cache()
    matched = plays.join(
        f.broadcast(songs.select("song_key", "song_id", "artist_id", "duration")),
        "song_key",
        "left",
    )
    distance = f.abs(f.col("duration") - f.col("song_length"))
    matched = first(matched, ["songplay_id"], f.coalesce(distance, f.lit(1e9)), "song_id")
    inferred = {
        key: f.concat(f.lit(prefix), f.upper(f.substring(f"{key}_key", 1, 16)))
        for key, prefix in (("song", "XS"), ("artist", "XA"))
    }
    fact = matched.join(f.broadcast(names), "artist_key", "left").select(
        *(c for c in plays.columns),
        f.date_trunc("hour", "start_time").alias("start_hour"),
        f.coalesce("song_id", inferred["song"]).alias("song_id"),
        f.coalesce("artist_id", "named_id", inferred["artist"]).alias("artist_id"),
    )
    heard = plays.groupBy("song_key").agg(
        f.min("artist_key").alias("artist_key"),
        f.min("song_title").alias("title"),
        f.min("artist_name").alias("name"),
        f.min("song_length").alias("duration"),
    )
    new_songs = heard.join(songs.select("song_key"), "song_key", "left_anti")
    new_artists = heard.join(names, "artist_key", "left_anti").groupBy("artist_key")
    hours = plays.select(f.date_trunc("hour", "start_time").alias("h")).agg(
        f.explode(f.sequence(f.min("h"), f.max("h"), f.expr("interval 1 hour"))).alias("start_hour")
    )
    users = events.where("userId <> ''")
    order = (f.desc("ts"), f.desc("sessionId"), f.desc("itemInSession"))
    return {
        "fct_songplays": fact,
        "dim_users": first(users, ["userId"], *order).select(
            "userId", "firstName", "lastName", "gender", "level"
        ),
        "dim_songs": songs.select("song_id", "title", "duration").unionByName(
            new_songs.select(inferred["song"].alias("song_id"), "title", "duration")
        ),
        "dim_artists": first(songs, ["artist_id"], "song_id")
        .select("artist_id", f.col("artist_name").alias("name"))
        .unionByName(
            new_artists.agg(f.min("name").alias("name")).select(
                inferred["artist"].alias("artist_id"), "name"
            )
        ),
        "dim_time": hours.select("start_hour", f.hour("start_hour"), f.weekday("start_hour")),
    }


def main(folder: str, output: str) -> None:
    """Writes the tables and prints the seconds and the number of rows of each."""
    started = time.monotonic()
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", 2)
        .config("spark.driver.memory", "8g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    ready = time.monotonic()
    events = spark.read.schema(EVENTS).json(f"{folder}/log_data").cache()
    songs = spark.read.schema(SONGS).json(f"{folder}/song_data")
    for name, frame in star(events, songs).items():
        frame.write.mode("overwrite").parquet(f"{output}/{name}")
    seconds = {"start-up": ready - started, "whole job": time.monotonic() - ready}
    rows = {name: spark.read.parquet(f"{output}/{name}").count() for name in star(events, songs)}
    print(json.dumps(seconds | rows))


if __name__ == "__main__":
    main(*sys.argv[1:])

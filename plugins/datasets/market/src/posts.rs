//! Posts from gzip-compressed JSON lines, as the compact copy of StockNet has them.

use crate::calendar::{Day, parse_moment};
use crate::error::{FETCH_AGAIN, MEND_ROW, bad, excerpt};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use zoo_core::{Error, Result};

/// Longest line, in bytes; StockNet's longest has a few hundred.
const LONGEST_LINE: u64 = 1 << 16;
/// Most posts of one file; StockNet's largest file has some twelve thousand.
const MOST_POSTS: usize = 1 << 22;

/// One post.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// The day that the source files it under; never before the day of `at`.
    pub day: Day,
    /// When it was written, in seconds since 1970 UTC; of day resolution in the authors' files.
    pub at: i64,
    /// Its author: a number, the same in all files of a data set.
    pub user: u64,
    /// What it says.
    pub text: String,
    /// Followers, friends, statuses, favourites, lists the author is on, verified (0 or 1), year of the account, retweet
    /// (0 or 1): all as of the post.
    pub profile: [f32; 8],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    day: String,
    at: String,
    user: u32,
    text: String,
    /// The source has a few counts below zero, which are handed on.
    rep: (i64, i64, i64, i64, i64, u8, String, u8),
}

/// Reads one file of posts, in the order of the file.
///
/// # Errors
/// [`Error::Data`] naming the line for malformed JSON, a date that is none, a post dated after the day it is filed under,
/// text that is not UTF-8, a line without end or a broken gzip stream; [`Error::Io`] if it can't be read.
#[allow(clippy::cast_precision_loss, reason = "counts of followers and the like; f32 is enough")]
pub fn read_posts(path: &Path) -> Result<Vec<Post>> {
    let file = File::open(path).map_err(Error::io(path))?;
    let mut reader = BufReader::new(MultiGzDecoder::new(file));
    let mut posts = Vec::new();
    let mut line = Vec::new();
    loop {
        let number = posts.len() + 1;
        let at = format!("line {number}");
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut line);
        let read = read.map_err(|e| bad(path, &at, "gzip-compressed lines", e.to_string(), FETCH_AGAIN))?;
        if read == 0 {
            return Ok(posts);
        }
        if line.len() as u64 > LONGEST_LINE || posts.len() == MOST_POSTS {
            let expected = format!("at most {MOST_POSTS} lines of at most {LONGEST_LINE} bytes");
            return Err(bad(path, at, expected, "more", FETCH_AGAIN));
        }
        let text = std::str::from_utf8(&line).map_err(|e| {
            let place = format!("{at}, byte {}", e.valid_up_to() + 1);
            bad(path, place, "UTF-8 text", "bytes that are not UTF-8", FETCH_AGAIN)
        })?;
        let line: Line = serde_json::from_str(text).map_err(|e| {
            bad(path, format!("{at}, column {}", e.column()), "an object with day, at, user, text and rep", e.to_string(), FETCH_AGAIN)
        })?;
        let day = Day::parse(&line.day).map_err(|_| bad(path, &at, "`day` as YYYY-MM-DD", excerpt(&line.day), MEND_ROW))?;
        let moment = parse_moment(&line.at)
            .ok_or_else(|| bad(path, &at, "`at` as `Wed Jan 01 03:59:03 +0000 2014`", excerpt(&line.at), MEND_ROW))?;
        if Day::of_utc(moment) > day {
            let found = format!("a post dated in the future, {}", Day::of_utc(moment));
            return Err(bad(path, at, format!("a post of {day} or before"), found, MEND_ROW));
        }
        let (followers, friends, statuses, favourites, listed, verified, year, retweet) = line.rep;
        let year: u16 = year.parse().map_err(|_| bad(path, &at, "the year of the account", excerpt(&year), MEND_ROW))?;
        if verified > 1 || retweet > 1 {
            return Err(bad(path, at, "0 or 1 for verified and retweet", format!("{verified} and {retweet}"), MEND_ROW));
        }
        posts.push(Post {
            day,
            at: moment,
            user: u64::from(line.user),
            text: line.text,
            profile: [
                followers as f32,
                friends as f32,
                statuses as f32,
                favourites as f32,
                listed as f32,
                f32::from(verified),
                f32::from(year),
                f32::from(retweet),
            ],
        });
    }
}
